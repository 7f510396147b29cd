//! What people do, at random: few of them, so that they meet.

mod ranking;

use decalog_feed::command::*;
use decalog_feed::state::{Feed, Listing, MediaRow, Window};
use decalog_feed::value::*;
use decalog_runtime::Timestamp;
use decalog_runtime::bucket::{Id, IdMaker};
use fastrand::Rng;

use crate::books::subjects;
use crate::rows::dump;

pub(crate) use ranking::impression;

/// When everything begins.
pub(crate) const START: i64 = 1_700_000_000 * SECOND;
/// Buckets of the accounts: each of four partitions has one or two. The last account wants the name of the first.
const BUCKETS: [u16; 7] = [3, 200, 300, 500, 600, 800, 3];

/// More than anybody writes.
const ALL_OF_THEM: usize = 10_000;

/// Where an account or a post is kept.
pub(crate) trait Sight {
    /// The partition that holds this bucket.
    fn at(&self, bucket: u16) -> &Feed;
}

impl Sight for Feed {
    fn at(&self, _bucket: u16) -> &Feed {
        self
    }
}

/// The ids of the accounts; the last one is never opened.
pub(crate) fn accounts() -> Vec<AccountId> {
    let mut maker = IdMaker::default();
    BUCKETS
        .iter()
        .map(|bucket| {
            let Id(id) = maker.next(Timestamp(START), *bucket);
            AccountId(id)
        })
        .collect()
}

/// Makes up commands.
#[derive(Clone)]
pub(crate) struct People {
    pub(crate) accounts: Vec<AccountId>,
    /// How late it is.
    pub(crate) now: i64,
    serial: u64,
    /// Posts that somebody has seen; some are gone.
    seen: Vec<PostRef>,
}

/// One throw.
pub(crate) struct Dice<'a> {
    pub(crate) people: &'a mut People,
    pub(crate) random: &'a mut Rng,
    pub(crate) sight: &'a dyn Sight,
}

impl People {
    pub(crate) fn new() -> People {
        People { accounts: accounts(), now: START, serial: 0, seen: Vec::new() }
    }

    /// All whom everybody could meet.
    pub(crate) fn known(&self) -> &[AccountId] {
        &self.accounts[..self.accounts.len() - 1]
    }

    /// How an account is made known.
    pub(crate) fn opening(&self, place: usize) -> OpenAccount {
        OpenAccount { account: self.accounts[place], name: format!("p{place}"), moderators: Vec::new() }
    }

    /// What is asked next, and in which bucket.
    pub(crate) fn command(&mut self, random: &mut Rng, sight: &dyn Sight) -> (Command, u16) {
        self.serial += 1;
        let mut dice = Dice { people: self, random, sight };
        let account = dice.account();
        let new = dice.sight.at(account.bucket()).account(account).is_none();
        if new && dice.often(0.8) {
            return (dice.open(account), account.bucket());
        }
        if dice.random.u32(0..400) == 0 {
            return dice.erase();
        }
        let command = match dice.random.u32(0..100) {
            0..8 => dice.profile(account),
            8..34 => dice.write(account),
            34..57 => return dice.react(account),
            57..78 => dice.relate(account),
            78..85 => dice.arrange(account),
            85..87 => return dice.moderate(),
            87..91 => return dice.notice(account),
            91..93 => return dice.rank(account),
            _ => dice.hear(account),
        };
        (command, account.bucket())
    }
}

impl Dice<'_> {
    pub(crate) fn one_of<T: Clone>(&mut self, all: &[T]) -> T {
        all[self.random.usize(0..all.len())].clone()
    }

    pub(crate) fn often(&mut self, share: f64) -> bool {
        self.random.f64() < share
    }

    pub(crate) fn account(&mut self) -> AccountId {
        if self.often(0.03) {
            return *self.people.accounts.last().expect("accounts");
        }
        // One is busier than the others, and comes to every limit.
        let known = if self.often(0.3) { &self.people.accounts[..1] } else { self.people.known() };
        let known = known.to_vec();
        self.one_of(&known)
    }

    pub(crate) fn home(&self, account: AccountId) -> &Feed {
        self.sight.at(account.bucket())
    }

    pub(crate) fn words(&mut self, of: &str) -> String {
        format!("{of} {}", self.people.serial)
    }

    fn soon(&mut self) -> i64 {
        self.people.now + self.random.i64(1..60 * SECOND)
    }

    pub(crate) fn item(&mut self, all: &[ItemId]) -> ItemId {
        if all.is_empty() || self.often(0.1) { ItemId(7) } else { self.one_of(all) }
    }

    /// A post of somebody: mostly one that is there.
    pub(crate) fn post_of(&mut self, author: AccountId) -> PostRef {
        let written = self.home(author).written(author, Window::newest(10));
        if written.is_empty() || self.often(0.1) {
            return self.past();
        }
        let entry = self.one_of(&written);
        let post = entry.reblog_of.filter(|_| self.often(0.8));
        let post = post.unwrap_or(PostRef { post: entry.post, author });
        self.people.seen.push(post);
        post
    }

    fn past(&mut self) -> PostRef {
        let seen = self.people.seen.clone();
        if seen.is_empty() {
            let author = self.people.accounts[0];
            return PostRef { post: PostId(author.0), author };
        }
        self.one_of(&seen)
    }

    fn post(&mut self) -> PostRef {
        let author = self.account();
        self.post_of(author)
    }

    fn open(&mut self, account: AccountId) -> Command {
        let place = self.people.accounts.iter().position(|it| *it == account).expect("an account");
        let stranger = place + 1 == self.people.accounts.len();
        let name = if stranger { "p0".to_owned() } else { format!("p{place}") };
        OpenAccount { account, name, moderators: vec![self.account()] }.into()
    }

    fn profile(&mut self, account: AccountId) -> Command {
        match self.random.u32(0..6) {
            0 => self.open(account),
            4 | 5 => self.push(account),
            1 => {
                let markers = [("home".to_owned(), self.random.u64(1..9))].into();
                SetMarkers { account, markers }.into()
            }
            _ => self.update(account),
        }
    }

    fn push(&mut self, account: AccountId) -> Command {
        let session = self.random.u64(1..4);
        let policy = self.one_of(&[PushPolicy::All, PushPolicy::Followed, PushPolicy::Follower]);
        let alerts = [self.one_of(&NotificationKind::ALL), NotificationKind::Mention].into();
        match self.random.u32(0..5) {
            0 => ChangePush { account, session, alerts, policy }.into(),
            1 => RemovePush { account, session, only: self.often(0.3).then_some(ItemId(7)) }.into(),
            _ => SetPush {
                account,
                session,
                endpoint: format!("https://push.example/{session}"),
                public: vec![4; 65],
                auth: vec![7; 16],
                standard: true,
                alerts,
                policy,
                token: vec![9; 40],
            }
            .into(),
        }
    }

    fn update(&mut self, account: AccountId) -> Command {
        UpdateProfile {
            account,
            display_name: Some(self.words("name")),
            note: None,
            fields: None,
            avatar: None,
            header: None,
            locked: self.often(0.7).then_some(self.random.bool()),
            bot: None,
            discoverable: Some(self.often(0.7)),
            indexable: None,
            hide_collections: None,
            privacy: self.often(0.2).then_some(Visibility::Unlisted),
            sensitive: None,
            language: self.often(0.2).then(|| "en".to_owned()),
            quote_policy: self.often(0.2).then_some(QuotePolicy::Followers),
        }
        .into()
    }

    fn write(&mut self, account: AccountId) -> Command {
        match self.random.u32(0..32) {
            30.. => self.quotes(account),
            0..11 => Publish { account, draft: self.draft(account), scheduled: None }.into(),
            11..13 => self.schedule(account),
            13..17 => self.edit(account),
            17..19 => self.delete(account),
            19..21 => self.later(account),
            21..25 => self.media(account),
            _ => SetPin { account, post: self.post_of(account).post, on: self.often(0.95) }.into(),
        }
    }

    /// What an author says of quotes of theirs.
    fn quotes(&mut self, account: AccountId) -> Command {
        let written = self.home(account).written(account, Window::newest(ALL_OF_THEM));
        let quoted = written.iter().map(|entry| entry.post);
        let pairs = quoted.flat_map(|post| {
            let quotes = subjects(self.home(account), Listing::Quotes, post.0);
            quotes.into_iter().map(move |quote| (post, PostId(quote)))
        });
        let pairs: Vec<(PostId, PostId)> = pairs.collect();
        if pairs.is_empty() || self.often(0.4) {
            let policy = self.one_of(&[QuotePolicy::Public, QuotePolicy::Followers, QuotePolicy::Nobody]);
            return SetQuotePolicy { account, post: self.post_of(account).post, policy }.into();
        }
        let (post, quote) = self.one_of(&pairs);
        RevokeQuote { account, post, quote }.into()
    }

    fn delete(&mut self, account: AccountId) -> Command {
        let post = self.post_of(account).post;
        DeletePost { account, post, delete_media: self.often(0.3) }.into()
    }

    fn edit(&mut self, account: AccountId) -> Command {
        let mut draft = self.draft(account);
        let post = self.post_of(account).post;
        if self.often(0.5) {
            let old = self.home(account).post(post).and_then(|post| post.poll);
            draft.poll = old.map(|poll| Poll { expires: self.people.now + 50 * SECOND, ..fresh(poll) });
        }
        EditPost { account, post, draft }.into()
    }

    fn schedule(&mut self, account: AccountId) -> Command {
        let mut draft = self.draft(account);
        if let Some(poll) = &mut draft.poll {
            poll.expires = 20 * SECOND;
        }
        Publish { account, draft, scheduled: Some(self.soon()) }.into()
    }

    fn later(&mut self, account: AccountId) -> Command {
        let all: Vec<ItemId> = self.home(account).all_scheduled(account).iter().map(|row| row.id).collect();
        let scheduled = self.item(&all);
        if self.often(0.5) {
            Reschedule { account, scheduled, at: self.soon() }.into()
        } else {
            CancelScheduled { account, scheduled }.into()
        }
    }

    fn draft(&mut self, account: AccountId) -> Draft {
        let reply_to = self.often(0.4).then(|| self.post());
        let parent = reply_to.and_then(|parent| self.home(parent.author).post(parent.post));
        let mentions = (0..self.random.usize(0..3)).map(|_| self.account());
        let mentions = mentions.map(|account| Mention { account, name: account.to_string() }).collect();
        Draft {
            text: self.words("words of"),
            spoiler: if self.often(0.2) { self.words("warning of") } else { String::new() },
            sensitive: self.often(0.1),
            language: self.often(0.5).then(|| "en".to_owned()),
            visibility: self.visibility(),
            reply_to,
            conversation: parent.map(|parent| parent.conversation),
            mentions,
            tags: self.tags(),
            media: self.attachments(account),
            poll: self.often(0.3).then(|| self.poll()),
            application: None,
            quote: self.often(0.2).then(|| self.post()),
            quote_policy: self.one_of(&[
                QuotePolicy::Public,
                QuotePolicy::Public,
                QuotePolicy::Followers,
                QuotePolicy::Nobody,
            ]),
        }
    }

    fn visibility(&mut self) -> Visibility {
        use Visibility::{Direct, Private, Public, Unlisted};
        self.one_of(&[Public, Public, Public, Unlisted, Private, Private, Direct])
    }

    fn tags(&mut self) -> Vec<(String, String)> {
        let count = self.random.usize(0..3);
        let tag = |_| self.one_of(&["Rust", "Logs", "Cats"]);
        (0..count).map(tag).map(|name| (name.to_lowercase(), name.to_owned())).collect()
    }

    fn poll(&mut self) -> Poll {
        let option = |place| PollOption { title: self.words(["yes", "no"][place]), votes: 0 };
        let options = (0..2).map(option).collect();
        let expires = self.soon();
        Poll { options, multiple: self.often(0.3), hide_totals: false, expires, voters: 0 }
    }

    fn kept(&mut self, account: AccountId, free: bool) -> Vec<MediaRow> {
        let rows = dump(self.home(account)).numbered::<MediaRow>(b'm').into_iter();
        let rows = rows.filter(|(key, row)| key[0] == account.0 && (!free || row.post.is_none()));
        rows.map(|(_, row)| row).collect()
    }

    fn attachments(&mut self, account: AccountId) -> Vec<ItemId> {
        if self.often(0.75) {
            return Vec::new();
        }
        let free = self.often(0.8);
        let rows = self.kept(account, free);
        rows.iter().take(2).map(|row| row.media.id).collect()
    }

    fn media(&mut self, account: AccountId) -> Command {
        let description = Some(self.words("picture of"));
        if self.often(0.4) {
            return attachment(account, description);
        }
        let rows = self.kept(account, false);
        let Some(row) = (!rows.is_empty()).then(|| self.one_of(&rows)) else {
            return attachment(account, description);
        };
        let media = row.media.id;
        match self.random.u32(0..10) {
            0 => RemoveMedia { account, media }.into(),
            1..4 => {
                let upload = Upload { file: "11".repeat(32), thumbnail: None, focus: None };
                let upload = self.often(0.4).then_some(upload);
                ChangeMedia { account, media, description, meta: None, small: None, upload }.into()
            }
            _ => finished(account, media),
        }
    }

    /// What is done with somebody's post, partly where that lies.
    fn react(&mut self, account: AccountId) -> (Command, u16) {
        let post = self.post();
        let on = self.often(0.75);
        let there = post.post.bucket();
        let command = match self.random.u32(0..23) {
            0..6 => return (Favourite { account, post: post.post, on }.into(), there),
            6..11 => return self.vote(account),
            11..16 => {
                let visibility = self.visibility();
                Reblog { account, of: post, visibility, language: None }.into()
            }
            16..18 => self.unreblog(account, post),
            18..20 => SetBookmark { account, post, on }.into(),
            20..22 => self.mute_thread(account, post, on),
            _ => SetPin { account, post: post.post, on }.into(),
        };
        (command, account.bucket())
    }

    fn vote(&mut self, account: AccountId) -> (Command, u16) {
        let author = self.account();
        let written = self.home(author).written(author, Window::newest(20));
        let asks = written
            .iter()
            .filter(|entry| self.home(author).post(entry.post).is_some_and(|post| post.poll.is_some()));
        let asks: Vec<PostId> = asks.map(|entry| entry.post).collect();
        let post = if asks.is_empty() { self.past().post } else { self.one_of(&asks) };
        let choices = self.one_of(&[vec![0], vec![1], vec![0, 1], vec![1, 1], vec![2], vec![]]);
        (Vote { account, post, choices }.into(), post.bucket())
    }

    fn unreblog(&mut self, account: AccountId, post: PostRef) -> Command {
        let reblogged = subjects(self.home(account), Listing::Reblogs, account.0);
        let of = if reblogged.is_empty() { post.post } else { PostId(self.one_of(&reblogged)) };
        Unreblog { account, of: PostRef { post: of, author: post.author } }.into()
    }

    fn mute_thread(&mut self, account: AccountId, post: PostRef, on: bool) -> Command {
        let conversation = self.home(post.author).post(post.post).map_or(post.post, |post| post.conversation);
        SetThreadMute { account, conversation, on }.into()
    }

    fn relate(&mut self, account: AccountId) -> Command {
        let target = self.account();
        match self.random.u32(0..24) {
            0..8 => self.follow(account, target),
            8..11 => Unfollow { account, target }.into(),
            11..14 => self.answer(account, target),
            14..16 => RemoveFollower { account, from: target }.into(),
            16..19 => SetBlock { account, target, on: self.often(0.25) }.into(),
            19..22 => self.mute(account, target),
            22 => SetNote { account, target, note: self.one_of(&["", "a friend"]).to_owned() }.into(),
            _ => SetEndorsed { account, target, on: self.often(0.8) }.into(),
        }
    }

    fn follow(&mut self, account: AccountId, target: AccountId) -> Command {
        let locked = self.home(target).account(target).is_some_and(|target| target.locked);
        let locked = if self.often(0.9) { locked } else { !locked };
        let (reblogs, notify) = (self.random.bool(), self.random.bool());
        Follow { account, target, reblogs, notify, languages: Vec::new(), locked }.into()
    }

    fn answer(&mut self, account: AccountId, other: AccountId) -> Command {
        let requests = subjects(self.home(account), Listing::Requests, account.0);
        let from = if requests.is_empty() { other } else { AccountId(self.one_of(&requests)) };
        AnswerRequest { account, from, accept: self.often(0.6) }.into()
    }

    fn mute(&mut self, account: AccountId, target: AccountId) -> Command {
        let until = self.often(0.6).then(|| self.soon());
        SetMute { account, target, on: self.often(0.7), notifications: self.random.bool(), until }.into()
    }

    fn arrange(&mut self, account: AccountId) -> Command {
        match self.random.u32(0..14) {
            12 => {
                let domain = self.one_of(&["one.example", "two.example"]).to_owned();
                BlockDomain { account, domain, on: self.often(0.6) }.into()
            }
            13 => DismissSuggestion { account, target: self.account() }.into(),
            0..6 => self.list(account),
            6..8 => {
                let tag = self.one_of(&["rust", "logs"]).to_owned();
                FollowTag { account, tag, on: self.often(0.6) }.into()
            }
            8 => {
                let name = self.one_of(&["Rust", "Logs"]).to_owned();
                FeatureTag { account, tag: name.to_lowercase(), name, on: self.often(0.6) }.into()
            }
            _ => self.filter(account),
        }
    }

    fn list(&mut self, account: AccountId) -> Command {
        let lists: Vec<ItemId> = self.home(account).lists(account).iter().map(|list| list.id).collect();
        let list = self.item(&lists);
        match self.random.u32(0..8) {
            0..2 => MakeList {
                account,
                list: self.often(0.3).then_some(list),
                title: "Friends".to_owned(),
                replies_policy: "list".to_owned(),
                exclusive: false,
            }
            .into(),
            2 => RemoveList { account, list }.into(),
            _ => self.members(account, list),
        }
    }

    fn members(&mut self, account: AccountId, list: ItemId) -> Command {
        let of = self.home(account);
        let known = |it: &&AccountId| {
            let relation = of.relation(account, **it);
            relation.following.is_some() || relation.requested.is_some()
        };
        let known: Vec<AccountId> = self.people.accounts.iter().filter(known).copied().collect();
        let member = if known.is_empty() { self.account() } else { self.one_of(&known) };
        SetListed { account, list, members: vec![member], on: self.often(0.8) }.into()
    }

    fn filter(&mut self, account: AccountId) -> Command {
        let filters: Vec<ItemId> =
            self.home(account).filters(account).iter().map(|filter| filter.id).collect();
        let filter = self.item(&filters);
        if self.often(0.25) {
            return RemoveFilter { account, filter }.into();
        }
        SetFilter {
            account,
            filter: self.often(0.4).then_some(filter),
            title: "Spiders".to_owned(),
            context: vec!["home".to_owned()],
            action: "hide".to_owned(),
            expires: self.often(0.6).then(|| self.soon()),
            keywords: vec![(None, "spider".to_owned(), true)],
            posts: vec![(None, self.past().post)],
        }
        .into()
    }

    fn hear(&mut self, account: AccountId) -> Command {
        let conversations = self.home(account).conversations(account);
        let conversation = match conversations.as_slice() {
            [] => self.past().post,
            some => self.one_of(some).0,
        };
        match self.random.u32(0..8) {
            4 => self.policy(account),
            5 | 6 => self.answer_notifications(account),
            0 | 7 => {
                let told = self.home(account).notifications(account, Window::newest(3));
                let only = told.iter().map(|(id, _)| ItemId(*id)).collect();
                ClearNotifications { account, only: self.often(0.8).then_some(only) }.into()
            }
            1 => HideConversation { account, conversation }.into(),
            _ => ReadConversation { account, conversation }.into(),
        }
    }
}

/// An attachment that is taken up.
pub(crate) fn attachment(account: AccountId, description: Option<String>) -> Command {
    AddMedia { account, kind: MediaKind::Image, description }.into()
}

/// The files of an attachment are made.
pub(crate) fn finished(account: AccountId, media: ItemId) -> Command {
    let original = File { blob: "00".repeat(32), mime: "image/png".to_owned(), extension: "png".to_owned() };
    let (kind, meta) = (MediaKind::Image, "{}".to_owned());
    FinishMedia { account, media, kind, original, small: None, meta, blurhash: None }.into()
}

/// The same question, before anybody has voted.
fn fresh(poll: Poll) -> Poll {
    let options = poll.options.into_iter().map(|option| PollOption { votes: 0, ..option }).collect();
    Poll { options, voters: 0, ..poll }
}
