//! Each rule of the dictionary, by the Reject that its breach deserves.

use decalog_fix::codec::{Frame, Parser, Rules};
use decalog_fix::guard::{Guard, Identity, NotLogon};
use decalog_fix::session::{Body, Inbound, RejectReason, Tag};
use proptest::prelude::*;

use crate::script::{from_client, message};

const ORDER: &str = "11=id|21=1|38=100|40=1|54=1|55=ACME|60=20260101-10:00:00|";

type Breach = Option<(RejectReason, Option<Tag>)>;

fn judged(bytes: &[u8]) -> Breach {
    let mut parser = Parser::new();
    let message = parser.parse(Frame { bytes });
    message.validate(Rules::default()).err().map(|rejection| (rejection.reason, rejection.tag))
}

#[test]
fn each_breach_has_its_reason_and_tag() {
    use RejectReason::*;
    let order = |change: &str| from_client("D", 2, &format!("{ORDER}{change}|"));
    let replaced = |from: &str, to: &str| from_client("D", 2, &ORDER.replace(from, to));
    let cases: Vec<(Vec<u8>, Breach)> = vec![
        (from_client("D", 2, ORDER), None),
        (from_client("0", 2, ""), None),
        (from_client("0", 2, "999=HI|"), Some((InvalidTagNumber, Some(999)))),
        (from_client("0", 2, "0=HI|"), Some((InvalidTagNumber, Some(0)))),
        (from_client("0", 2, "-1=HI|"), Some((InvalidTagNumber, Some(-1)))),
        (from_client("0", 2, "5000=HI|"), Some((InvalidTagNumber, Some(5000)))),
        (from_client("0", 2, "x=HI|"), Some((InvalidTagNumber, None))),
        (from_client("0", 2, "99999999999=HI|"), Some((InvalidTagNumber, None))),
        (message("35=0|34=2|49=CLIENT|52=20260101-10:00:00"), Some((RequiredTagMissing, Some(56)))),
        (replaced("11=id|", ""), Some((RequiredTagMissing, Some(11)))),
        (from_client("0", 2, "55=ACME|"), Some((TagNotDefinedForMessage, Some(55)))),
        (from_client("0", 2, "2=ADV|"), Some((TagNotDefinedForMessage, Some(2)))),
        (from_client("0", 2, "112=|"), Some((TagWithoutValue, Some(112)))),
        (replaced("21=1", "21=4"), Some((ValueIncorrect, Some(21)))),
        (order("167=BOO"), Some((ValueIncorrect, Some(167)))),
        (order("167=CS"), None),
        (order("18=1 2"), None),
        (order("18=1 ?"), Some((ValueIncorrect, Some(18)))),
        (replaced("38=100", "38=+200.00"), Some((IncorrectDataFormat, Some(38)))),
        (replaced("38=100", "38=002000.00"), None),
        (replaced("38=100", "38=99999999999999999999"), Some((ValueIncorrect, Some(38)))),
        (order("126=20040415"), Some((IncorrectDataFormat, Some(126)))),
        (order("44=1e5"), Some((IncorrectDataFormat, Some(44)))),
        (order("43=Y"), Some((TagOutOfOrder, Some(43)))),
        (order("54=2"), Some((TagAppearsMoreThanOnce, Some(54)))),
        (order("386=2|336=A|336=B"), None),
        (order("386=3|336=A|336=B"), Some((IncorrectGroupCount, Some(386)))),
        (order("386=1|336=A|336=B"), Some((IncorrectGroupCount, Some(386)))),
        (order("386=1|625=X|336=A"), Some((GroupFieldsOutOfOrder, Some(625)))),
        (order("386=1|336=A|336="), Some((IncorrectGroupCount, Some(386)))),
        (order("386=0"), None),
        (order("386=0|336=A"), Some((IncorrectGroupCount, Some(386)))),
        (order("386=-1"), Some((IncorrectDataFormat, Some(386)))),
        (order("386=1000000000|336=A"), Some((IncorrectGroupCount, Some(386)))),
        (order("453=1|448=A|447=D|452=1|802=2|523=x|803=1|523=y|803=2"), None),
        (order("453=1|448=A|802=2|523=x|803=1"), Some((IncorrectGroupCount, Some(802)))),
        (order("453=1|448=A|448=B|447=D"), Some((IncorrectGroupCount, Some(453)))),
        (order("453=1|448=A|447=D|447=C"), Some((TagAppearsMoreThanOnce, Some(447)))),
        (order("354=3|355=a\x01b"), None),
        (from_client("*", 2, ""), Some((InvalidMsgType, None))),
        (from_client("6", 2, "23=id|5=x|"), None),
    ];
    for (bytes, expected) in cases {
        assert_eq!(judged(&bytes), expected, "{}", crate::script::shown(&bytes));
    }
}

#[test]
fn fields_behind_the_trailer_are_out_of_order() {
    let mut bytes = from_client("0", 2, "93=1|89=x|112=late|");
    assert_eq!(judged(&bytes), Some((RejectReason::TagOutOfOrder, Some(112))));
    bytes = message(
        "35=D|11=id|21=3|40=1|54=1|55=ACME|60=20260101-10:00:00|34=2|49=CLIENT|52=20260101-10:00:00|56=EXCHANGE",
    );
    assert_eq!(judged(&bytes), Some((RejectReason::TagOutOfOrder, Some(34))));
}

#[test]
fn user_defined_tags_pass_when_allowed() {
    let bytes = from_client("0", 2, "5000=HI|");
    let mut parser = Parser::new();
    let rules = Rules { allow_user_defined: true };
    assert!(parser.parse(Frame { bytes: &bytes }).validate(rules).is_ok());
}

fn guarded(bytes: &[u8]) -> Inbound<()> {
    let mut guard = Guard::new(Rules::default());
    guard.bind(Identity { ours: "EXCHANGE".into(), theirs: "CLIENT".into() });
    guard.check(Frame { bytes }, |_| Ok(()))
}

#[test]
fn the_guard_tells_what_kind_of_problem_a_message_has() {
    assert_eq!(guarded(&from_client("D", 7, ORDER)).body, Body::Application(()));
    assert_eq!(guarded(&from_client("D", 7, ORDER)).header.seq, 7);
    assert!(matches!(guarded(&from_client("6", 2, "23=id|")).body, Body::Refused(_)));
    assert!(matches!(guarded(&from_client("0", 2, "55=X|")).body, Body::Invalid(_)));
    let stranger = message("35=0|34=2|49=STRANGER|52=20260101-10:00:00|56=EXCHANGE");
    assert_eq!(guarded(&stranger).body, Body::WrongCompId);
    let numberless = message("35=0|49=CLIENT|52=20260101-10:00:00|56=EXCHANGE");
    assert_eq!(guarded(&numberless).body, Body::NoSeqNum);
    let overflow = message("35=0|34=99999999999999999999|49=CLIENT|52=20260101-10:00:00|56=EXCHANGE");
    assert_eq!(guarded(&overflow).body, Body::NoSeqNum);
    let other = String::from_utf8(from_client("0", 2, "")).unwrap().replace("FIX.4.4", "FIX.4.1");
    assert_eq!(guarded(other.as_bytes()).body, Body::WrongBeginString);
}

#[test]
fn only_a_good_logon_opens_a_connection() {
    let first = |bytes: &[u8]| {
        Guard::new(Rules::default()).first(Frame { bytes }).map(|opening| opening.sender.to_owned())
    };
    assert_eq!(first(&from_client("A", 1, "98=0|108=30|")), Ok("CLIENT".to_owned()));
    assert!(matches!(first(&from_client("0", 1, "")), Err(NotLogon::MsgType(_))));
    for bad in ["98=0|", "98=1|108=30|", "98=0|108=-1|", "98=0|108=30|999=x|", "98=0|108=99999999999|"] {
        assert!(matches!(first(&from_client("A", 1, bad)), Err(NotLogon::Invalid { .. })), "{bad}");
    }
    let bytes = from_client("A", 1, "98=0|108=30|553=user|554=secret|");
    let mut guard = Guard::new(Rules::default());
    let opening = guard.first(Frame { bytes: &bytes }).unwrap();
    assert_eq!((opening.username, opening.password), (Some("user"), Some("secret")));
}

proptest! {
    #[test]
    fn no_bytes_make_the_guard_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut whole = b"8=FIX.4.4\x019=5\x0135=D\x01".to_vec();
        whole.extend(body);
        let _ = guarded(&whole);
    }

    #[test]
    fn no_mixture_of_fields_makes_the_guard_panic(
        fields in proptest::collection::vec((0u16..1000, "[ -~]{0,6}"), 0..30)
    ) {
        let text: String = fields.iter().map(|(tag, value)| format!("{tag}={value}|")).collect();
        let _ = guarded(&from_client("D", 2, &text));
    }
}
