//! What a stand-alone session keeps over a restart: its two numbers, and the messages it may have to send again.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::Path;

use crate::dictionary::MsgType;
use crate::session::SeqNum;
use crate::time::Timestamp;

/// The two sequences.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Numbers {
    /// MsgSeqNum of the next message to come.
    pub next_in: SeqNum,
    /// MsgSeqNum of the next message to go.
    pub next_out: SeqNum,
}

/// A message that was sent, without its header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentMessage {
    /// Its type.
    pub msg_type: MsgType,
    /// When it was first sent.
    pub sent_at: Timestamp,
    /// The fields behind the header, encoded.
    pub body: Vec<u8>,
}

/// Keeps one session.
pub trait Store: Send + 'static {
    /// What was kept: the numbers, and which messages, in rising order.
    fn load(&mut self) -> io::Result<(Numbers, Vec<SeqNum>)>;
    /// The numbers have moved. Called before what moved them is sent.
    fn save(&mut self, numbers: Numbers) -> io::Result<()>;
    /// Keeps a message that is about to be sent.
    fn put(&mut self, seq: SeqNum, message: SentMessage) -> io::Result<()>;
    /// A message that was kept; `None` when it is no longer.
    fn get(&mut self, seq: SeqNum) -> io::Result<Option<SentMessage>>;
    /// Both sequences start at 1 again.
    fn reset(&mut self) -> io::Result<()>;
}

/// Keeps the last messages in memory: for sessions that reset with every logon, and for tests.
#[derive(Debug)]
pub struct MemoryStore {
    numbers: Numbers,
    messages: BTreeMap<SeqNum, SentMessage>,
    most: usize,
}

impl MemoryStore {
    /// An empty store that keeps at most so many messages.
    #[must_use]
    pub const fn new(most: usize) -> Self {
        Self { numbers: Numbers { next_in: 1, next_out: 1 }, messages: BTreeMap::new(), most }
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new(100_000)
    }
}

impl Store for MemoryStore {
    fn load(&mut self) -> io::Result<(Numbers, Vec<SeqNum>)> {
        Ok((self.numbers, self.messages.keys().copied().collect()))
    }

    fn save(&mut self, numbers: Numbers) -> io::Result<()> {
        self.numbers = numbers;
        Ok(())
    }

    fn put(&mut self, seq: SeqNum, message: SentMessage) -> io::Result<()> {
        self.messages.insert(seq, message);
        if self.messages.len() > self.most {
            self.messages.pop_first();
        }
        Ok(())
    }

    fn get(&mut self, seq: SeqNum) -> io::Result<Option<SentMessage>> {
        Ok(self.messages.get(&seq).cloned())
    }

    fn reset(&mut self) -> io::Result<()> {
        *self = Self::new(self.most);
        Ok(())
    }
}

/// Keeps a session in one file, appended to and given to the operating system before anything is sent: it survives
/// the process, not a power cut. A record cut short by a crash is dropped at the next start.
#[derive(Debug)]
pub struct FileStore {
    file: File,
    numbers: Numbers,
    places: BTreeMap<SeqNum, u64>,
    end: u64,
}

/// kind (1), CRC32C of the rest (4), length (4), then the content.
const HEAD: usize = 9;
const NUMBERS: u8 = 1;
const MESSAGE: u8 = 2;
const RESET: u8 = 3;
const LONGEST: usize = 1 << 24;

impl FileStore {
    /// Opens or creates the file.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
        let mut store =
            Self { file, numbers: Numbers { next_in: 1, next_out: 1 }, places: BTreeMap::new(), end: 0 };
        store.scan()?;
        store.file.set_len(store.end)?;
        Ok(store)
    }

    fn scan(&mut self) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(0))?;
        let mut reader = BufReader::new(self.file.try_clone()?);
        while let Some((kind, content)) = read_record(&mut reader)? {
            match kind {
                NUMBERS => {
                    let (next_in, next_out) = (number(&content, 0), number(&content, 8));
                    self.numbers = Numbers { next_in, next_out };
                }
                MESSAGE => {
                    self.places.insert(number(&content, 0), self.end);
                }
                _ => {
                    self.places.clear();
                    self.numbers = Numbers { next_in: 1, next_out: 1 };
                }
            }
            self.end += (HEAD + content.len()) as u64;
        }
        Ok(())
    }

    fn append(&mut self, kind: u8, content: &[u8]) -> io::Result<()> {
        let mut record = Vec::with_capacity(HEAD + content.len());
        record.push(kind);
        record.extend_from_slice(&crc(kind, content).to_le_bytes());
        record.extend_from_slice(&u32::try_from(content.len()).unwrap_or(u32::MAX).to_le_bytes());
        record.extend_from_slice(content);
        self.file.write_all(&record)?;
        self.end += record.len() as u64;
        Ok(())
    }
}

impl Store for FileStore {
    fn load(&mut self) -> io::Result<(Numbers, Vec<SeqNum>)> {
        Ok((self.numbers, self.places.keys().copied().collect()))
    }

    fn save(&mut self, numbers: Numbers) -> io::Result<()> {
        self.numbers = numbers;
        let mut content = numbers.next_in.to_le_bytes().to_vec();
        content.extend_from_slice(&numbers.next_out.to_le_bytes());
        self.append(NUMBERS, &content)
    }

    fn put(&mut self, seq: SeqNum, message: SentMessage) -> io::Result<()> {
        let mut content = seq.to_le_bytes().to_vec();
        content.extend_from_slice(&message.sent_at.0.to_le_bytes());
        let wire = message.msg_type.wire();
        content.push(u8::try_from(wire.len()).unwrap_or(0));
        content.extend_from_slice(wire.as_bytes());
        content.extend_from_slice(&message.body);
        self.places.insert(seq, self.end);
        self.append(MESSAGE, &content)
    }

    fn get(&mut self, seq: SeqNum) -> io::Result<Option<SentMessage>> {
        let Some(place) = self.places.get(&seq) else { return Ok(None) };
        self.file.seek(SeekFrom::Start(*place))?;
        let Some((_, content)) = read_record(&mut self.file)? else { return Ok(None) };
        let sent_at = Timestamp(number(&content, 8).cast_signed());
        let length = content.get(16).map_or(0, |length| usize::from(*length));
        let wire = content.get(17..17 + length).unwrap_or_default();
        let message = MsgType::from_wire(wire).map(|msg_type| SentMessage {
            msg_type,
            sent_at,
            body: content[17 + length..].to_vec(),
        });
        Ok(message)
    }

    fn reset(&mut self) -> io::Result<()> {
        self.places.clear();
        self.numbers = Numbers { next_in: 1, next_out: 1 };
        self.file.set_len(0)?;
        self.end = 0;
        self.append(RESET, &[])
    }
}

/// The next whole record; `None` at the end, or where a record is cut short or damaged.
fn read_record(reader: &mut impl Read) -> io::Result<Option<(u8, Vec<u8>)>> {
    let mut head = [0; HEAD];
    if !read_whole(reader, &mut head)? {
        return Ok(None);
    }
    let word = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    let (kind, sum, length) = (head[0], word(1), word(5) as usize);
    if length > LONGEST {
        return Ok(None);
    }
    let mut content = vec![0; length];
    let whole = read_whole(reader, &mut content)? && crc(kind, &content) == sum;
    let enough = length
        >= match kind {
            NUMBERS => 16,
            MESSAGE => 17,
            _ => 0,
        };
    Ok((whole && enough).then_some((kind, content)))
}

fn read_whole(reader: &mut impl Read, into: &mut [u8]) -> io::Result<bool> {
    match reader.read_exact(into) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

fn crc(kind: u8, content: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&[kind]), content)
}

fn number(content: &[u8], at: usize) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&content[at..at + 8]);
    u64::from_le_bytes(bytes)
}
