//! Sets of integers as stretches: as many as one likes cost as little as one, if they follow each other.

/// All integers between two, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Span {
    pub(super) from: u64,
    pub(super) to: u64,
}

/// A set of integers. Settled, its spans are in order and neither overlap nor touch; only a settled one is asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Spans(Vec<Span>);

impl Span {
    pub(super) fn count(self) -> u64 {
        self.to - self.from + 1
    }
}

/// From numbers in order, each once.
impl FromIterator<u64> for Spans {
    fn from_iter<I: IntoIterator<Item = u64>>(numbers: I) -> Self {
        let mut spans = Self::default();
        numbers.into_iter().for_each(|number| spans.push(Span { from: number, to: number }));
        spans
    }
}

impl Spans {
    /// Adds integers. What follows on the last ones costs nothing; anything else asks to be settled afterwards.
    pub(super) fn push(&mut self, span: Span) {
        match self.0.last_mut() {
            Some(last) if last.to.checked_add(1) == Some(span.from) => last.to = span.to,
            _ => self.0.push(span),
        }
    }

    pub(super) fn append(&mut self, mut more: Self) {
        self.0.append(&mut more.0);
    }

    pub(super) fn settle(&mut self) {
        let apart = |a: &Span, b: &Span| a.to < b.from && b.from - a.to > 1;
        if self.0.is_sorted_by(apart) {
            return;
        }
        self.0.sort_unstable();
        self.0.dedup_by(|next, last| {
            let joins = !apart(last, next);
            last.to = if joins { last.to.max(next.to) } else { last.to };
            joins
        });
    }

    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = Span> + Clone {
        self.0.iter().copied()
    }

    /// The integers one by one.
    pub(super) fn each(&self) -> impl Iterator<Item = u64> {
        self.0.iter().flat_map(|span| span.from..=span.to)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn count(&self) -> u64 {
        self.iter().map(Span::count).sum()
    }

    pub(super) fn contains(&self, number: u64) -> bool {
        self.0.get(self.0.partition_point(|span| span.to < number)).is_some_and(|span| span.from <= number)
    }

    pub(super) fn intersection(&self, others: &Self) -> Self {
        let mut both = Vec::new();
        let mut rest = &others.0[..];
        for span in self.iter() {
            rest = &rest[rest.partition_point(|other| other.to < span.from)..];
            let overlapping = rest.iter().take_while(|other| other.from <= span.to);
            both.extend(overlapping.map(|other| Span { from: other.from.max(span.from), to: other.to.min(span.to) }));
        }
        Self(both)
    }

    pub(super) fn without(&self, others: &Self) -> Self {
        let mut left = Vec::new();
        for mut span in self.iter() {
            let mut exhausted = false;
            for other in &others.0[others.0.partition_point(|other| other.to < span.from)..] {
                if other.from > span.to {
                    break;
                }
                if other.from > span.from {
                    left.push(Span { from: span.from, to: other.from - 1 });
                }
                exhausted = other.to >= span.to;
                if exhausted {
                    break;
                }
                span.from = other.to + 1;
            }
            if !exhausted {
                left.push(span);
            }
        }
        Self(left)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    /// Stretches that often touch, overlap and repeat, some of them at the very ends.
    fn stretches() -> impl Strategy<Value = Vec<(u64, u64)>> {
        let near = (0..60_u64, 0..9_u64).prop_map(|(from, more)| (from, from + more));
        let far = (0..4_u64).prop_map(|less| (u64::MAX - less, u64::MAX));
        prop::collection::vec(prop_oneof![9 => near, 1 => far], 0..20)
    }

    fn spans(stretches: &[(u64, u64)]) -> Spans {
        let mut spans = Spans::default();
        stretches.iter().for_each(|(from, to)| spans.push(Span { from: *from, to: *to }));
        spans.settle();
        spans
    }

    fn set(stretches: &[(u64, u64)]) -> BTreeSet<u64> {
        stretches.iter().flat_map(|(from, to)| *from..=*to).collect()
    }

    /// The numbers of settled spans, which must be in order and apart.
    fn numbers(spans: &Spans) -> BTreeSet<u64> {
        assert!(spans.0.is_sorted_by(|a, b| a.to < b.from && b.from - a.to > 1), "{spans:?}");
        assert!(spans.iter().all(|span| span.from <= span.to), "{spans:?}");
        spans.iter().flat_map(|span| span.from..=span.to).collect()
    }

    proptest! {
        #[test]
        fn spans_are_sets(a in stretches(), b in stretches()) {
            let (ours, others) = (spans(&a), spans(&b));
            let (mine, theirs) = (set(&a), set(&b));
            prop_assert_eq!(&numbers(&ours), &mine);
            prop_assert_eq!(ours.count(), mine.len() as u64);
            prop_assert_eq!(numbers(&ours.intersection(&others)), &mine & &theirs);
            prop_assert_eq!(numbers(&ours.without(&others)), &mine - &theirs);
            for number in (0..70).chain([u64::MAX - 4, u64::MAX]) {
                prop_assert_eq!(ours.contains(number), mine.contains(&number));
            }
            let mut all = ours.clone();
            all.append(others);
            all.settle();
            prop_assert_eq!(numbers(&all), &mine | &theirs);
        }
    }
}
