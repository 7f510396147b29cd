//! Which notifications are kept apart: each rule of a policy, and what is decided about what it kept.

use decalog_feed::command::*;
use decalog_feed::event::Event;
use decalog_feed::state::Window;
use decalog_feed::value::*;

use crate::people::Sight;
use crate::privacy::{draft, follow};
use crate::world::World;

const DAY: i64 = 86_400 * SECOND;

/// Alice, whom Bob writes to.
struct Two {
    world: World,
    alice: AccountId,
    bob: AccountId,
}

impl Two {
    /// Much later than they came, so that nobody is new.
    fn new() -> Two {
        let (mut world, people) = World::peopled(4);
        world.now += 60 * DAY;
        Two { world, alice: people.known()[1], bob: people.known()[3] }
    }

    fn policy(&mut self, set: SetPolicy) {
        let reply = self.world.ask_to_rest(self.alice, SetPolicy { account: self.alice, ..set });
        assert_eq!(reply, Reply::Done);
    }

    fn write(
        &mut self,
        by: AccountId,
        to: AccountId,
        visibility: Visibility,
        parent: Option<PostRef>,
    ) -> PostRef {
        let mut draft = draft("words", visibility);
        draft.mentions = vec![Mention { account: to, name: "p".to_owned() }];
        let root = parent.and_then(|parent| self.world.at(parent.author.bucket()).post(parent.post));
        (draft.reply_to, draft.conversation) = (parent, root.map(|post| post.conversation));
        match self.world.ask_to_rest(by, Publish { account: by, draft, scheduled: None }) {
            Reply::Posted(post) => PostRef { post, author: by },
            other => panic!("{other:?}"),
        }
    }

    /// What becomes of a mention by Bob.
    fn mention(&mut self, visibility: Visibility) -> Treatment {
        self.world.told.clear();
        let before = self.kept();
        let (alice, bob) = (self.alice, self.bob);
        self.write(bob, alice, visibility, None);
        let told =
            self.world.told.iter().any(|event| matches!(event, Event::Notified(it) if it.account == alice));
        match (told, self.kept() - before) {
            (true, 0) => Treatment::Accept,
            (false, 1) => Treatment::Filter,
            (false, 0) => Treatment::Drop,
            other => panic!("{other:?}"),
        }
    }

    fn kept(&self) -> usize {
        let rows = self.world.at(self.alice.bucket()).notifications(self.alice, Window::newest(1_000));
        rows.iter().filter(|(_, told)| told.filtered).count()
    }

    fn requests(&self) -> Vec<ItemId> {
        let all = self.world.at(self.alice.bucket()).notification_requests(self.alice, Window::newest(9));
        all.into_iter().map(|(id, ..)| id).collect()
    }

    fn answer(&mut self, accept: bool) {
        let answer = AnswerNotificationRequests { account: self.alice, requests: self.requests(), accept };
        assert_eq!(self.world.ask_to_rest(self.alice, answer), Reply::Done);
        self.world.check().unwrap();
    }

    fn follow(&mut self, one: AccountId, other: AccountId) {
        assert_eq!(self.world.ask_to_rest(one, follow(one, other, false)), Reply::Done);
    }
}

const HOW: [Treatment; 3] = [Treatment::Accept, Treatment::Filter, Treatment::Drop];

#[test]
pub(crate) fn strangers_are_treated_as_the_policy_says() {
    for how in HOW {
        let mut two = Two::new();
        two.policy(SetPolicy { not_following: Some(how), ..SetPolicy::default() });
        assert_eq!(two.mention(Visibility::Public), how);
        two.follow(two.alice, two.bob);
        assert_eq!(two.mention(Visibility::Public), Treatment::Accept);
    }
}

#[test]
fn who_follows_only_since_a_short_time_does_not_count_as_a_follower() {
    for how in HOW {
        let mut two = Two::new();
        two.policy(SetPolicy { not_followers: Some(how), ..SetPolicy::default() });
        assert_eq!(two.mention(Visibility::Public), how);
        two.world.told.clear();
        two.follow(two.bob, two.alice);
        assert_eq!(two.mention(Visibility::Public), how);
        two.world.now += 3 * DAY + SECOND;
        assert_eq!(two.mention(Visibility::Public), Treatment::Accept);
    }
}

#[test]
fn new_accounts_are_treated_as_the_policy_says_until_they_are_thirty_days_old() {
    for how in HOW {
        let mut two = Two::new();
        two.world.now -= 31 * DAY;
        two.policy(SetPolicy { new_accounts: Some(how), ..SetPolicy::default() });
        assert_eq!(two.mention(Visibility::Public), how);
        two.world.now += 2 * DAY;
        assert_eq!(two.mention(Visibility::Public), Treatment::Accept);
    }
}

#[test]
fn limited_accounts_are_treated_as_the_policy_says() {
    for how in HOW {
        let mut two = Two::new();
        two.policy(SetPolicy { limited_accounts: Some(how), ..SetPolicy::default() });
        assert_eq!(two.mention(Visibility::Public), Treatment::Accept);
        let standing = Standing { limited: true, ..Standing::default() };
        two.world
            .ask_to_rest(two.bob, Moderate { account: two.bob, standing, by: two.alice, resolve: false });
        assert_eq!(two.mention(Visibility::Public), how);
    }
}

#[test]
fn private_mentions_are_kept_apart_unless_they_answer_what_one_wrote() {
    let mut two = Two::new();
    let (alice, bob) = (two.alice, two.bob);
    assert_eq!(two.mention(Visibility::Direct), Treatment::Filter, "unless said otherwise");
    assert!(two.world.at(alice.bucket()).conversations(alice).is_empty());
    let begun = two.write(alice, bob, Visibility::Direct, None);
    two.world.told.clear();
    two.write(bob, alice, Visibility::Direct, Some(begun));
    assert!(two.world.told.iter().any(|event| matches!(event, Event::Notified(it) if it.account == alice)));
    assert_eq!(two.world.at(alice.bucket()).conversations(alice).len(), 1);
    two.answer(true);
    let talks = two.world.at(alice.bucket()).conversations(alice);
    assert_eq!(
        (talks.len(), talks.iter().filter(|(_, talk)| talk.unread).count()),
        (2, 2),
        "taken in with it"
    );
    assert_eq!(two.mention(Visibility::Direct), Treatment::Accept, "and so is what comes");
}

#[test]
fn what_is_dismissed_is_gone_and_what_is_accepted_is_told_from_then_on() {
    let mut two = Two::new();
    two.policy(SetPolicy { not_following: Some(Treatment::Filter), ..SetPolicy::default() });
    for _ in 0..3 {
        assert_eq!(two.mention(Visibility::Public), Treatment::Filter);
    }
    two.answer(false);
    assert_eq!((two.kept(), two.requests().len()), (0, 0));
    assert_eq!(
        two.mention(Visibility::Public),
        Treatment::Filter,
        "dismissing says nothing about what comes"
    );
    two.answer(true);
    assert!(two.world.told.iter().any(|event| matches!(event, Event::NotificationsMerged(_))));
    assert_eq!((two.kept(), two.requests().len()), (0, 0));
    assert_eq!(two.mention(Visibility::Public), Treatment::Accept);
    let (account, target) = (two.alice, two.bob);
    for on in [true, false] {
        two.world.ask_to_rest(account, SetBlock { account, target, on });
    }
    assert_eq!(two.mention(Visibility::Public), Treatment::Filter, "a block takes it back");
}

#[test]
fn one_account_cannot_fill_what_is_kept_apart() {
    let mut two = Two::new();
    two.policy(SetPolicy { not_following: Some(Treatment::Filter), ..SetPolicy::default() });
    let (alice, bob) = (two.alice, two.bob);
    for _ in 0..130 {
        two.write(bob, alice, Visibility::Public, None);
    }
    assert_eq!(two.kept(), 100);
    two.world.check().unwrap();
}
