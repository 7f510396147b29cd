//! Where posts come from.

use super::{Origin, View};
use crate::value::PostId;

/// Proposes posts.
pub trait Source: Sync {
    /// What its posts are said to come from.
    fn origin(&self) -> Origin;

    /// At most so many posts, the best first.
    fn find(&self, view: &View<'_>, most: usize) -> Vec<PostId>;
}

/// Whom the viewer follows.
#[derive(Clone, Copy, Debug)]
pub struct Following;

/// Whom those follow.
#[derive(Clone, Copy, Debug)]
pub struct Friends;

/// The tags that the viewer follows.
#[derive(Clone, Copy, Debug)]
pub struct Tags;

/// What many like.
#[derive(Clone, Copy, Debug)]
pub struct Popular;

/// What is like what the viewer liked.
#[derive(Clone, Copy, Debug)]
pub struct Similar;

/// How alike posts must be.
const ALIKE: f32 = 0.3;

impl Source for Following {
    fn origin(&self) -> Origin {
        Origin::Following
    }

    fn find(&self, view: &View<'_>, most: usize) -> Vec<PostId> {
        view.home.iter().copied().take(most).collect()
    }
}

impl Source for Friends {
    fn origin(&self) -> Origin {
        Origin::Friends
    }

    fn find(&self, view: &View<'_>, most: usize) -> Vec<PostId> {
        let mut posts = view.friends.clone();
        posts.sort_unstable_by_key(|one| std::cmp::Reverse((one.1, one.0)));
        posts.into_iter().map(|(post, _)| post).take(most).collect()
    }
}

impl Source for Tags {
    fn origin(&self) -> Origin {
        Origin::Tag
    }

    fn find(&self, view: &View<'_>, most: usize) -> Vec<PostId> {
        let mut posts = view.tagged.clone();
        posts.sort_unstable_by(|one, other| other.cmp(one));
        posts.dedup();
        posts.truncate(most);
        posts
    }
}

impl Source for Popular {
    fn origin(&self) -> Origin {
        Origin::Popular
    }

    fn find(&self, view: &View<'_>, most: usize) -> Vec<PostId> {
        view.landscape.map(|all| all.popular(view.now, most)).unwrap_or_default()
    }
}

impl Source for Similar {
    fn origin(&self) -> Origin {
        Origin::Similar
    }

    fn find(&self, view: &View<'_>, most: usize) -> Vec<PostId> {
        view.landscape.map(|all| all.alike(&view.taste.place, ALIKE, most)).unwrap_or_default()
    }
}
