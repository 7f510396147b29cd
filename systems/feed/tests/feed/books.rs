//! What must hold of a partition after every record, and of all of them together when no message is on its way.

use std::collections::{BTreeMap, BTreeSet};

use decalog_feed::state::{
    Account, Conversation, Feed, Filter, Held, Listing, MediaRow, Notification, Post, Relation, Report,
    Scheduled, Window,
};
use decalog_feed::value::{AccountId, Entry, NotificationKind, PostId, QuoteState, Standing, Visibility};

use crate::rows::{Dump, dump};

/// More than anybody has.
pub(crate) const ALL: usize = 100_000;

type Check = Result<(), String>;

fn same<T: PartialEq + std::fmt::Debug>(what: &str, one: T, other: T) -> Check {
    if one == other { Ok(()) } else { Err(format!("{what}: {one:?}, but {other:?}")) }
}

fn holds(what: impl FnOnce() -> String, it: bool) -> Check {
    if it { Ok(()) } else { Err(what()) }
}

/// A partition's rows, read.
struct Books {
    rows: Dump,
    accounts: BTreeMap<u64, Account>,
    posts: BTreeMap<u64, Post>,
    relations: BTreeMap<(u64, u64), Relation>,
    /// Listing, owner, subject → place.
    places: BTreeMap<(u64, u64, u64), u64>,
}

/// What must hold of one partition.
pub(crate) fn check(feed: &Feed) -> Check {
    let books = Books::open(feed);
    books.listings()?;
    books.relations()?;
    books.counts()?;
    books.audience()?;
    books.indexes()?;
    books.tags()?;
    books.polls()?;
    books.leftovers()?;
    books.media()?;
    books.directory()?;
    books.usage()?;
    books.conversations()?;
    books.dues()?;
    books.held()?;
    books.reports()
}

impl Books {
    fn open(feed: &Feed) -> Books {
        let rows = dump(feed);
        let accounts = rows.numbered(b'a').into_iter().map(|(key, row)| (key[0], row)).collect();
        let posts = rows.numbered(b'p').into_iter().map(|(key, row)| (key[0], row)).collect();
        let relations = rows.numbered(b'r').into_iter().map(|(key, row)| ((key[0], key[1]), row)).collect();
        let places = rows.numbered(b'k').into_iter();
        let places = places.map(|(key, row)| ((key[0], key[1], key[2]), row)).collect();
        Books { rows, accounts, posts, relations, places }
    }

    fn subjects(&self, listing: Listing, owner: u64) -> BTreeSet<u64> {
        let of = (listing as u64, owner);
        let range = self.places.range((of.0, of.1, 0)..=(of.0, of.1, u64::MAX));
        range.map(|((.., subject), _)| *subject).collect()
    }

    fn listings(&self) -> Check {
        let by_place: BTreeSet<_> = self
            .rows
            .numbered::<u64>(b'x')
            .into_iter()
            .map(|(key, row)| (key[0], key[1], row, key[2]))
            .collect();
        let by_subject: BTreeSet<_> = self
            .places
            .iter()
            .map(|((listing, owner, subject), place)| (*listing, *owner, *subject, *place))
            .collect();
        same("listings by place and by subject", by_place, by_subject)
    }

    /// What relations say, listings say.
    fn relations(&self) -> Check {
        let pairs = |holds: fn(&Relation) -> bool| -> BTreeSet<(u64, u64)> {
            let those = self.relations.iter().filter(|(_, relation)| holds(relation));
            those.map(|(pair, _)| *pair).collect()
        };
        let listed = |listing: Listing| -> BTreeSet<(u64, u64)> {
            let those = self.places.keys().filter(|(which, ..)| *which == listing as u64);
            those.map(|(_, owner, subject)| (*owner, *subject)).collect()
        };
        same("following", pairs(|it| it.following.is_some()), listed(Listing::Following))?;
        same("followers", pairs(|it| it.followed_by), listed(Listing::Followers))?;
        same("requests", pairs(|it| it.requested_by), listed(Listing::Requests))?;
        same("blocks", pairs(|it| it.blocking), listed(Listing::Blocks))?;
        same("mutes", pairs(|it| it.muting.is_some()), listed(Listing::Mutes))?;
        same("endorsed", pairs(|it| it.endorsed), listed(Listing::Endorsed))?;
        let bells: BTreeSet<_> = self.rows.marks(b'y').into_iter().map(|key| (key[1], key[0])).collect();
        same("bells", pairs(|it| it.following.as_ref().is_some_and(|how| how.notify)), bells)?;
        self.relations.iter().try_for_each(|(pair, relation)| relation_holds(*pair, relation))
    }

    fn counts(&self) -> Check {
        for account in self.accounts.values() {
            let id = account.id.0;
            let count = |listing| self.subjects(listing, id).len() as u64;
            same("followers of an account", account.followers, count(Listing::Followers))?;
            same("whom an account follows", account.following, count(Listing::Following))?;
            let written = self.posts.values().filter(|post| post.author.0 == id);
            let counted = written.filter(|post| post.visibility != Visibility::Direct).count() as u64;
            same("posts of an account", account.statuses, counted)?;
            holds(|| format!("{id} pins too much"), count(Listing::Pins) <= 5)?;
        }
        for post in self.posts.values() {
            let count = |listing| self.subjects(listing, post.id.0).len() as u64;
            same("likes of a post", post.favourites, count(Listing::FavouritedBy))?;
            same("reblogs of a post", post.reblogs, count(Listing::RebloggedBy))?;
            same("answers to a post", post.replies, count(Listing::Replies))?;
            same("quotes of a post", post.quotes, count(Listing::Quotes))?;
        }
        Ok(())
    }

    fn audience(&self) -> Check {
        let mut expected: BTreeMap<(u64, u64), u64> = BTreeMap::new();
        for (listing, owner, subject) in self.places.keys() {
            if *listing == Listing::Followers as u64 {
                *expected.entry((*owner, AccountId(*subject).bucket().into())).or_default() += 1;
            }
        }
        let rows = self.rows.numbered(b'b').into_iter().map(|(key, count)| ((key[0], key[1]), count));
        same("audience", rows.collect(), expected)
    }

    fn indexes(&self) -> Check {
        let entries = |those: fn(&Post) -> bool| -> BTreeMap<u64, Entry> {
            self.posts.values().filter(|post| those(post)).map(|post| (post.id.0, post.entry())).collect()
        };
        let written = self.rows.numbered::<Entry>(b'u').into_iter();
        let written = written.filter(|(key, entry)| key[0] == entry.author.0);
        same("written", written.map(|(key, entry)| (key[1], entry)).collect(), entries(|_| true))?;
        let public = self.rows.numbered(b'w').into_iter().map(|(key, entry)| (key[0], entry));
        same("public", public.collect(), entries(is_public))
    }

    fn tags(&self) -> Check {
        let (mut tagged, mut own, mut uses) = (BTreeSet::new(), BTreeSet::new(), BTreeMap::new());
        for post in self.posts.values().filter(|post| is_public(post)) {
            for (tag, _) in &post.tags {
                if tagged.insert((0, tag.clone(), post.id.0)) {
                    own.insert((post.author.0, tag.clone(), post.id.0));
                    *uses.entry(tag.clone()).or_insert(0_u64) += 1;
                }
            }
        }
        same("tagged", self.rows.texts(b't', false).into_iter().collect(), tagged)?;
        same("own tagged", self.rows.texts(b'q', true).into_iter().collect(), own)?;
        let tags = self.rows.texts(b'h', false).into_iter().map(|(_, tag, _)| tag);
        same("tags", tags.collect::<Vec<_>>(), uses.keys().cloned().collect())
    }

    fn polls(&self) -> Check {
        let mut votes: BTreeMap<u64, Vec<Vec<u32>>> = BTreeMap::new();
        for (key, choices) in self.rows.numbered::<Vec<u32>>(b'v') {
            votes.entry(key[0]).or_default().push(choices);
        }
        for (post, choices) in &votes {
            let poll = self.posts.get(post).and_then(|post| post.poll.as_ref());
            let Some(poll) = poll else { return Err(format!("votes in {post}, which asks nothing")) };
            same("voters", poll.voters, choices.len() as u64)?;
            for (place, option) in poll.options.iter().enumerate() {
                let chosen = choices.iter().flatten().filter(|choice| **choice as usize == place);
                same("votes", option.votes, chosen.count() as u64)?;
            }
        }
        let asked = self.posts.values().filter_map(|post| post.poll.as_ref().map(|poll| (post, poll)));
        asked.filter(|(post, _)| !votes.contains_key(&post.id.0)).try_for_each(|(post, poll)| {
            let none = poll.voters == 0 && poll.options.iter().all(|option| option.votes == 0);
            holds(|| format!("{:?} counts votes that nobody gave", post.id), none)
        })
    }

    /// What belongs to a post is gone with it, or is about to be.
    fn leftovers(&self) -> Check {
        let swept: BTreeSet<u64> =
            self.rows.marks(b'd').into_iter().filter(|key| key[1] == 5).map(|key| key[2]).collect();
        let there = |what: &str, post: u64| {
            holds(
                || format!("{what} of {post}, which is gone"),
                self.posts.contains_key(&post) || swept.contains(&post),
            )
        };
        for (key, _) in self.rows.numbered::<decalog_feed::state::Revision>(b'e') {
            there("a revision", key[0])?;
        }
        for (listing, owner, subject) in self.places.keys() {
            match *listing {
                20..=22 | 26 => there("a listing", *owner)?,
                10 => holds(|| format!("{subject} is pinned and gone"), self.posts.contains_key(subject))?,
                30 => self.member(*owner, *subject)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// Whoever is in a list is followed, or was asked, or is the list's owner.
    fn member(&self, list: u64, member: u64) -> Check {
        let lists = self.rows.numbered::<decalog_feed::state::List>(b'l');
        let owner = lists.iter().find(|(key, _)| key[1] == list).map(|(key, _)| key[0]);
        let Some(owner) = owner else { return Err(format!("{list} has members and is gone")) };
        let relation = self.relations.get(&(owner, member));
        let known = relation.is_some_and(|it| it.following.is_some() || it.requested.is_some());
        holds(|| format!("{member} is in a list of {owner} and not followed"), known || owner == member)
    }

    fn media(&self) -> Check {
        let rows: BTreeMap<u64, Option<PostId>> =
            self.rows.numbered::<MediaRow>(b'm').into_iter().map(|(key, row)| (key[1], row.post)).collect();
        for post in rows.values().flatten() {
            holds(|| format!("an attachment of {post}, which is gone"), self.posts.contains_key(&post.0))?;
        }
        for post in self.posts.values() {
            for media in &post.media {
                same("an attachment's post", rows.get(&media.id.0).copied().flatten(), Some(post.id))?;
            }
        }
        Ok(())
    }

    /// Reports that nobody has seen to are listed with whom they are about.
    fn reports(&self) -> Check {
        let rows: Vec<Report> = self.rows.numbered(b'O').into_iter().map(|(_, row)| row).collect();
        let open = rows.iter().filter(|row| row.resolved.is_none()).map(|row| (row.target.0, row.id.0));
        let listed = self.places.keys().filter(|(listing, ..)| *listing == Listing::OpenReports as u64);
        let listed = listed.map(|(_, owner, report)| (*owner, *report));
        same("open reports", open.collect::<BTreeSet<_>>(), listed.collect())
    }

    /// What is kept apart is counted, and whoever mentions is listed.
    fn held(&self) -> Check {
        let mut expected: BTreeMap<(u64, u64), (u64, u64)> = BTreeMap::new();
        for (key, told) in self.rows.numbered::<Notification>(b'N').into_iter().filter(|(_, it)| it.filtered)
        {
            let counts = expected.entry((key[0], told.from.0)).or_default();
            let mention = told.kind == NotificationKind::Mention;
            *(if mention { &mut counts.0 } else { &mut counts.1 }) += 1;
        }
        let rows = self.rows.numbered::<Held>(b'Q').into_iter();
        let rows = rows.map(|(key, held)| ((key[0], key[1]), (held.mentions, held.others)));
        same("kept apart", rows.collect(), expected.clone())?;
        let requests =
            self.places.keys().filter(|(listing, ..)| *listing == Listing::NotificationRequests as u64);
        let mentioned = expected.into_iter().filter(|(_, (mentions, _))| *mentions > 0);
        same(
            "requests",
            requests.map(|(_, owner, from)| (*owner, *from)).collect::<BTreeSet<_>>(),
            mentioned.map(|(pair, _)| pair).collect(),
        )
    }

    fn directory(&self) -> Check {
        let standings = self.rows.numbered::<Standing>(b'S').into_iter();
        let standings: BTreeMap<u64, Standing> = standings.map(|(key, row)| (key[0], row)).collect();
        let seen = |account: &&Account| {
            let standing = standings.get(&account.id.0).copied().unwrap_or_default();
            account.discoverable == Some(true) && !standing.limited && !standing.suspended
        };
        let those = self.accounts.values().filter(seen);
        let places = |place: fn(&Account) -> u64| -> BTreeSet<(u64, u64)> {
            those.clone().map(|account| (account.id.0, place(account))).collect()
        };
        let listed = |listing: Listing| -> BTreeSet<(u64, u64)> {
            let those = self.places.iter().filter(|((which, ..), _)| *which == listing as u64);
            those.map(|((_, _, subject), place)| (*subject, *place)).collect()
        };
        same("newcomers", listed(Listing::Newcomers), places(|account| account.id.0))?;
        let active = places(|account| account.last_post.map_or(account.id.0, |post| post.0 | 1 << 63));
        same("who is active", listed(Listing::Active), active)?;
        let posted = self.accounts.values().all(|it| it.last_post.is_some() == it.last_status.is_some());
        holds(|| "what was posted last, and when".to_owned(), posted)
    }

    fn usage(&self) -> Check {
        let rows = self.rows.numbered::<u64>(b'A');
        let sum = |what: u64| -> u64 {
            rows.iter().filter(|(key, _)| key[0] == what).map(|(_, count)| *count).sum()
        };
        same("accounts", sum(1), self.accounts.len() as u64)?;
        same("posts", sum(2), self.accounts.values().map(|account| account.statuses).sum())?;
        let once = rows.iter().filter(|(key, _)| key[0] == 4).count() as u64;
        same("who was active once", sum(3), once)
    }

    /// What was said last in a conversation is the last of what was said.
    fn conversations(&self) -> Check {
        let said = self.rows.numbered::<u64>(b'C').into_iter();
        let said: BTreeMap<(u64, u64, u64), u64> =
            said.map(|(key, author)| ((key[0], key[1], key[2]), author)).collect();
        for (key, row) in self.rows.numbered::<Conversation>(b'c') {
            let of = said.range((key[0], key[1], row.since.0 + 1)..=(key[0], key[1], u64::MAX));
            let last = of.last().map(|((.., post), author)| (*post, *author));
            let shown = Some((row.last.post.0, row.last.author.0)).filter(|_| row.last.post > row.since);
            same("what was said last", shown, last)?;
        }
        Ok(())
    }

    /// What happens by itself, and what waits for it.
    fn dues(&self) -> Check {
        let dues: BTreeSet<Vec<u64>> = self.rows.marks(b'd').into_iter().collect();
        let of = |kind: u64| dues.iter().filter(move |due| due[1] == kind).cloned().collect::<BTreeSet<_>>();
        let moment = |at: i64| u64::try_from(at).expect("after 1970");
        let scheduled = self.rows.numbered::<Scheduled>(b's').into_iter();
        let scheduled = scheduled.map(|(key, row)| vec![moment(row.at), 1, key[0], row.id.0]);
        same("posts for later", of(1), scheduled.collect())?;
        for due in of(2) {
            let poll = self.posts.get(&due[2]).and_then(|post| post.poll.as_ref());
            same("the end of a poll", poll.map(|poll| moment(poll.expires)), Some(due[0]))?;
        }
        let mutes = self.relations.iter().filter_map(|((account, other), relation)| {
            let until = relation.muting.as_ref()?.until?;
            Some(vec![moment(until), 3, *account, *other])
        });
        same("mutes that end", of(3), mutes.collect())?;
        let filters = self.rows.numbered::<Filter>(b'F').into_iter();
        let filters: BTreeSet<_> =
            filters.filter_map(|(key, row)| Some(vec![moment(row.expires?), 4, key[0], key[1]])).collect();
        holds(|| format!("filters that end: {:?}, but {filters:?}", of(4)), of(4).is_subset(&filters))?;
        let ends: BTreeSet<u64> = of(50).into_iter().map(|due| due[3]).collect();
        let rows = self.rows.numbered::<MediaRow>(b'm');
        let unfinished = rows.iter().filter(|(_, row)| row.upload.is_some()).map(|(key, _)| key.clone());
        same(
            "attachments on their way",
            self.rows.marks(b'V').into_iter().collect(),
            unfinished.collect::<BTreeSet<_>>(),
        )?;
        let waiting: BTreeSet<u64> =
            rows.iter().filter(|(_, row)| row.post.is_none()).map(|(key, _)| key[1]).collect();
        holds(|| format!("attachments {waiting:?}, but ends {ends:?}"), waiting.is_subset(&ends))?;
        let waits = |(owner, _): &(u64, u64)| {
            self.accounts.get(owner).is_some_and(|it| it.locked) || of(21).iter().any(|due| due[2] == *owner)
        };
        let asked = self.relations.iter().filter(|(_, relation)| relation.requested_by);
        let mut idle = asked.map(|(pair, _)| pair).filter(|pair| !waits(pair));
        holds(|| "somebody waits for one who need not be asked".to_owned(), idle.next().is_none())
    }
}

fn is_public(post: &Post) -> bool {
    post.visibility == Visibility::Public && post.reblog_of.is_none()
}

fn relation_holds(pair: (u64, u64), relation: &Relation) -> Check {
    let follows = relation.following.is_some() || relation.requested.is_some();
    let followed = relation.followed_by || relation.requested_by;
    let blocked = relation.blocking || relation.blocked_by;
    let sound = *relation != Relation::default()
        && !(relation.following.is_some() && relation.requested.is_some())
        && !(relation.followed_by && relation.requested_by)
        && !(blocked && (follows || followed))
        && !(relation.endorsed && relation.following.is_none());
    holds(|| format!("{pair:?}: {relation:?}"), sound)
}

/// What must hold of all partitions together when they have heard everything.
pub(crate) fn check_together(feeds: &[Feed]) -> Check {
    feeds.iter().try_for_each(check)?;
    let all: Vec<Books> = feeds.iter().map(Books::open).collect();
    let accounts: BTreeMap<u64, &Books> =
        all.iter().flat_map(|books| books.accounts.keys().map(move |id| (*id, books))).collect();
    for books in &all {
        for ((one, other), relation) in &books.relations {
            if let Some(theirs) = accounts.get(other) {
                let back = theirs.relations.get(&(*other, *one)).cloned().unwrap_or_default();
                both_agree((*one, *other), relation, &back)?;
            }
        }
    }
    let standings =
        all.iter().map(|books| books.rows.numbered::<Standing>(b'S').into_iter().collect::<Vec<_>>());
    standings.clone().zip(standings.skip(1)).try_for_each(|(one, other)| same("standings", one, other))?;
    posts_agree(&all)
}

fn both_agree(pair: (u64, u64), relation: &Relation, back: &Relation) -> Check {
    let agree = relation.following.is_some() == back.followed_by
        && relation.requested.is_some() == back.requested_by
        && relation.blocking == back.blocked_by
        && back.following.is_some() == relation.followed_by
        && back.requested.is_some() == relation.requested_by
        && back.blocking == relation.blocked_by;
    holds(|| format!("{pair:?} are not of one mind: {relation:?}, {back:?}"), agree)
}

/// Whose post it is knows who likes, reblogs and answers it, and they know, too.
fn posts_agree(all: &[Books]) -> Check {
    let posts: BTreeMap<u64, &Post> =
        all.iter().flat_map(|books| &books.posts).map(|(id, post)| (*id, post)).collect();
    let listed = |listing: Listing| -> BTreeSet<(u64, u64, u64)> {
        let places = all.iter().flat_map(|books| &books.places).filter(|(key, _)| key.0 == listing as u64);
        places.map(|((_, owner, subject), place)| (*owner, *subject, *place)).collect()
    };
    // Nothing is counted of a reblog: it is of the original.
    let alive = |post: u64| posts.get(&post).is_some_and(|post| post.reblog_of.is_none());
    let likes: BTreeSet<_> =
        listed(Listing::Favourites).into_iter().map(|(who, post, _)| (post, who)).collect();
    let liked = listed(Listing::FavouritedBy).into_iter().map(|(post, who, _)| (post, who));
    same(
        "likes",
        likes.into_iter().filter(|(post, _)| alive(*post)).collect::<BTreeSet<_>>(),
        liked.filter(|(post, _)| alive(*post)).collect(),
    )?;
    let reblogs = listed(Listing::Reblogs).into_iter().map(|(who, post, by)| (post, who, by));
    let reblogged = listed(Listing::RebloggedBy).into_iter();
    same(
        "reblogs",
        reblogs.filter(|(post, ..)| alive(*post)).collect::<BTreeSet<_>>(),
        reblogged.filter(|(post, ..)| alive(*post)).collect(),
    )?;
    let swept = |post: u64| {
        let dues = all.iter().flat_map(|books| books.rows.marks(b'd'));
        dues.into_iter().any(|due| due[1] == 5 && due[2] == post)
    };
    let mut left = listed(Listing::Reblogs).into_iter().filter(|(_, post, _)| !alive(*post) && !swept(*post));
    let one = left.next();
    holds(|| format!("a reblog of what is gone: {one:?}"), one.is_none())?;
    let answers = posts.values().filter_map(|post| Some((post.reply_to?.post.0, post.id.0, post.id.0)));
    let answered = listed(Listing::Replies).into_iter();
    same(
        "answers",
        answers.filter(|(post, ..)| alive(*post)).collect::<BTreeSet<_>>(),
        answered.filter(|(post, ..)| alive(*post)).collect(),
    )?;
    let quotes = posts.values().filter_map(|post| Some((post.quote?, post.id.0)));
    let quotes = quotes.filter(|(quote, _)| quote.state == QuoteState::Accepted);
    let quotes = quotes.map(|(quote, id)| (quote.of.post.0, id, id));
    same(
        "quotes",
        quotes.filter(|(post, ..)| alive(*post)).collect::<BTreeSet<_>>(),
        listed(Listing::Quotes).into_iter().filter(|(post, ..)| alive(*post)).collect(),
    )
}

/// The subjects of a listing, the first first.
pub(crate) fn subjects(feed: &Feed, listing: Listing, owner: u64) -> Vec<u64> {
    let rows = feed.listing(listing, owner, Window { rising: true, ..Window::newest(ALL) });
    rows.into_iter().map(|(_, subject)| subject).collect()
}
