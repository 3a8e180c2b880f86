//! Many SM3 digests at once.
//!
//! SM3 is one long chain of steps that each wait for the last, so a processor digests eight messages
//! side by side in little more time than one. Rows of a load and leaves of a tree come by the
//! thousand; single digests stay with [`crate::tree::sm3`], which also does the work where the
//! processor has no such registers.
#![cfg_attr(
    target_arch = "x86_64",
    expect(unsafe_code, reason = "eight lanes need AVX2; why each call is sound stands beside it")
)]

use crate::tree::{Hash, sm3};

const BLOCK: usize = 64;

/// Messages to digest, one after the other, each padded as SM3 wants it.
#[derive(Debug, Default)]
pub struct Messages {
    bytes: Vec<u8>,
    /// Where each message begins, and how long it is without padding.
    places: Vec<(usize, usize)>,
    start: usize,
}

impl Messages {
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets the messages, not the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.places.clear();
        self.start = 0;
    }

    /// Where the next message is written, at the end; [`Messages::end`] ends it.
    pub fn begin(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    pub fn end(&mut self) {
        let length = self.bytes.len() - self.start;
        self.places.push((self.start, length));
        self.bytes.push(0x80);
        // messages before it fill whole blocks
        let zeros = (BLOCK - (self.bytes.len() + 8) % BLOCK) % BLOCK;
        self.bytes.resize(self.bytes.len() + zeros, 0);
        self.bytes.extend((length as u64 * 8).to_be_bytes());
        self.start = self.bytes.len();
    }

    /// The digests in the order of the messages.
    pub fn digests(&self) -> Vec<Hash> {
        #[cfg(target_arch = "x86_64")]
        if self.places.len() > 2 && std::arch::is_x86_feature_detected!("avx2") {
            // SAFETY: the processor was just asked for AVX2
            return unsafe { wide::digests(&self.bytes, &self.places) };
        }
        self.one_by_one()
    }

    fn one_by_one(&self) -> Vec<Hash> {
        let message = |(start, length): &(usize, usize)| sm3(&self.bytes[*start..*start + *length]);
        self.places.iter().map(message).collect()
    }
}

#[cfg(target_arch = "x86_64")]
mod wide {
    use std::arch::x86_64::*;

    use super::{BLOCK, Hash};

    const LANES: usize = 8;
    type Word = __m256i;

    const START: [u32; 8] = [
        0x7380_166f,
        0x4914_b2b9,
        0x1724_42d7,
        0xda8a_0600,
        0xa96f_30bc,
        0x1631_38aa,
        0xe38d_ee4d,
        0xb0fb_0e4e,
    ];

    const CONSTANTS: [u32; 64] = {
        let mut constants = [0; 64];
        let mut round = 0;
        while round < 64 {
            let base: u32 = if round < 16 { 0x79cc_4519 } else { 0x7a87_9d8a };
            constants[round] = base.rotate_left(round as u32 % 32);
            round += 1;
        }
        constants
    };

    /// A message under way: which, its next block, the block behind its last.
    #[derive(Clone, Copy)]
    struct Lane {
        message: usize,
        block: usize,
        end: usize,
    }

    /// Each lane takes the next message when it is through with one.
    #[target_feature(enable = "avx2")]
    pub(super) fn digests(bytes: &[u8], places: &[(usize, usize)]) -> Vec<Hash> {
        let (blocks, _) = bytes.as_chunks::<BLOCK>();
        let mut digests = vec![[0; 32]; places.len()];
        let mut waiting = places.iter().enumerate().map(|(message, (start, length))| {
            let block = start / BLOCK;
            Lane { message, block, end: block + (length + 8) / BLOCK + 1 }
        });
        let mut state = [[0_u32; LANES]; 8];
        let mut lanes = [None; LANES];
        for (at, lane) in lanes.iter_mut().enumerate() {
            *lane = begin(&mut waiting, &mut state, at);
        }
        let idle = [0; BLOCK];
        while lanes.iter().any(Option::is_some) {
            let now: [&[u8; BLOCK]; LANES] =
                std::array::from_fn(|at| lanes[at].map_or(&idle, |lane: Lane| &blocks[lane.block]));
            compress(&mut state, now);
            for (at, place) in lanes.iter_mut().enumerate() {
                let Some(lane) = place else { continue };
                lane.block += 1;
                if lane.block == lane.end {
                    let words = digests[lane.message].chunks_exact_mut(4);
                    for (bytes, word) in words.zip(&state) {
                        bytes.copy_from_slice(&word[at].to_be_bytes());
                    }
                    *place = begin(&mut waiting, &mut state, at);
                }
            }
        }
        digests
    }

    fn begin(
        waiting: &mut impl Iterator<Item = Lane>,
        state: &mut [[u32; LANES]; 8],
        at: usize,
    ) -> Option<Lane> {
        for (word, start) in state.iter_mut().zip(START) {
            word[at] = start;
        }
        waiting.next()
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    fn rotate<const LEFT: i32, const RIGHT: i32>(word: Word) -> Word {
        _mm256_or_si256(_mm256_slli_epi32::<LEFT>(word), _mm256_srli_epi32::<RIGHT>(word))
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    fn xor(a: Word, b: Word, c: Word) -> Word {
        _mm256_xor_si256(_mm256_xor_si256(a, b), c)
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    fn add(a: Word, b: Word) -> Word {
        _mm256_add_epi32(a, b)
    }

    /// One block of each lane (GB/T 32905, 5.3).
    #[target_feature(enable = "avx2")]
    fn compress(state: &mut [[u32; LANES]; 8], blocks: [&[u8; BLOCK]; LANES]) {
        let mut words = [_mm256_setzero_si256(); 16];
        for (at, word) in words.iter_mut().enumerate() {
            let of = |lane: usize| {
                let part = &blocks[lane][at * 4..at * 4 + 4];
                i32::from_be_bytes([part[0], part[1], part[2], part[3]])
            };
            *word = _mm256_set_epi32(of(7), of(6), of(5), of(4), of(3), of(2), of(1), of(0));
        }
        // SAFETY: each word of the state is 32 bytes, which may lie anywhere
        let load = |word: &[u32; LANES]| unsafe { _mm256_loadu_si256(word.as_ptr().cast()) };
        let before = state.each_ref().map(load);
        let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = before;
        macro_rules! round {
            ($n:expr, $a:ident $b:ident $c:ident $d:ident $e:ident $f:ident $g:ident $h:ident) => {{
                const N: usize = $n;
                if N >= 12 {
                    let next = N + 4;
                    let mixed = xor(
                        words[next & 15],
                        words[(next - 9) & 15],
                        rotate::<15, 17>(words[(next - 3) & 15]),
                    );
                    let mixed = xor(mixed, rotate::<15, 17>(mixed), rotate::<23, 9>(mixed));
                    words[next & 15] =
                        xor(mixed, rotate::<7, 25>(words[(next - 13) & 15]), words[(next - 6) & 15]);
                }
                let turned = rotate::<12, 20>($a);
                let constant = _mm256_set1_epi32(CONSTANTS[N] as i32);
                let first = rotate::<7, 25>(add(add(turned, $e), constant));
                let second = _mm256_xor_si256(first, turned);
                let (ff, gg) = if N < 16 {
                    (xor($a, $b, $c), xor($e, $f, $g))
                } else {
                    let both = _mm256_and_si256($a, $b);
                    let either = _mm256_and_si256(_mm256_or_si256($a, $b), $c);
                    let chosen = _mm256_and_si256(_mm256_xor_si256($f, $g), $e);
                    (_mm256_or_si256(both, either), _mm256_xor_si256(chosen, $g))
                };
                let expanded = _mm256_xor_si256(words[N & 15], words[(N + 4) & 15]);
                $d = add(add($d, ff), add(second, expanded));
                $h = add(add($h, gg), add(first, words[N & 15]));
                $b = rotate::<9, 23>($b);
                $f = rotate::<19, 13>($f);
                $h = xor($h, rotate::<9, 23>($h), rotate::<17, 15>($h));
            }};
        }
        macro_rules! rounds {
            ($($n:expr),*) => {$(
                round!($n, a b c d e f g h);
                round!($n + 1, d a b c h e f g);
                round!($n + 2, c d a b g h e f);
                round!($n + 3, b c d a f g h e);
            )*};
        }
        rounds!(0, 4, 8, 12, 16, 20, 24, 28, 32, 36, 40, 44, 48, 52, 56, 60);
        for (word, (old, new)) in
            state.iter_mut().zip(before.into_iter().zip([a, b, c, d, e, f, g, h]))
        {
            // SAFETY: as above
            unsafe { _mm256_storeu_si256(word.as_mut_ptr().cast(), _mm256_xor_si256(old, new)) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eight_at_once_are_the_same_as_one_by_one() {
        let mut messages = Messages::new();
        for count in [0, 1, 2, 3, 7, 8, 9, 200] {
            messages.clear();
            let mut expected = Vec::new();
            for number in 0..count {
                // every length around a block's end
                let text: Vec<u8> = (0..(number * 7) % 200).map(|at| (at * number) as u8).collect();
                messages.begin().extend(&text);
                messages.end();
                expected.push(sm3(&text));
            }
            assert_eq!(messages.digests(), expected);
            assert_eq!(messages.one_by_one(), expected);
        }
    }

    #[test]
    fn lengths_around_the_end_of_a_block() {
        let mut messages = Messages::new();
        let texts: Vec<Vec<u8>> = (0..140).map(|length| vec![b'a'; length]).collect();
        for text in &texts {
            messages.begin().extend(text);
            messages.end();
        }
        let expected: Vec<Hash> = texts.iter().map(|text| sm3(text)).collect();
        assert_eq!(messages.digests(), expected);
    }
}
