//! Bytes on their way in: an async stream read by a blocking thread, so that a file of 2 GiB is
//! never in memory.

use std::io::{self, Read};

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use tokio::sync::mpsc;

/// The blocking end of a stream of bytes.
pub struct StreamReader {
    parts: mpsc::Receiver<io::Result<Bytes>>,
    current: Bytes,
}

/// Runs `work` on a blocking thread, feeding it the stream. `limit` bytes at most.
pub async fn feed<S, E, T, F>(stream: S, limit: u64, work: F) -> io::Result<T>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin + Send,
    E: std::fmt::Display,
    T: Send + 'static,
    F: FnOnce(StreamReader) -> T + Send + 'static,
{
    let (sender, parts) = mpsc::channel(8);
    let reader = StreamReader { parts, current: Bytes::new() };
    let working = tokio::task::spawn_blocking(move || work(reader));
    pump(stream, limit, sender).await;
    working.await.map_err(io::Error::other)
}

/// Hands the parts over until the stream ends, breaks or grows beyond the limit; the reader learns
/// which.
async fn pump<S, E>(mut stream: S, limit: u64, sender: mpsc::Sender<io::Result<Bytes>>)
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
    E: std::fmt::Display,
{
    let mut total = 0_u64;
    while let Some(part) = stream.next().await {
        let part = match part {
            Ok(part) => {
                total += part.len() as u64;
                if total > limit {
                    Err(io::Error::new(io::ErrorKind::FileTooLarge, "超过大小上限"))
                } else {
                    Ok(part)
                }
            }
            Err(error) => {
                Err(io::Error::new(io::ErrorKind::UnexpectedEof, format!("传输中断：{error}")))
            }
        };
        let broken = part.is_err();
        // a closed channel means that the reader gave up and says why itself
        if sender.send(part).await.is_err() || broken {
            return;
        }
    }
}

impl Read for StreamReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() {
            match self.parts.blocking_recv() {
                Some(part) => self.current = part?,
                None => return Ok(0),
            }
        }
        let count = buffer.len().min(self.current.len());
        buffer[..count].copy_from_slice(&self.current.split_to(count));
        Ok(count)
    }
}
