//! Which nodes are updated together: a few canaries first, then so many of a hundred at a time.

/// The content of an image: its name and the digest of its manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Content {
    pub(crate) image: String,
    pub(crate) digest: String,
}

/// A node as the plan needs to know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) from: Content,
    pub(crate) to: Content,
    /// Whether it runs: only such a node tells whether an image is good.
    pub(crate) runs: bool,
    /// An update of it was begun and is not finished, so that it may be anything.
    pub(crate) begun: bool,
}

/// How many at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pace {
    /// Nodes of the first wave.
    pub(crate) canary: usize,
    /// Of a hundred nodes, how many are in each further wave.
    pub(crate) percent: usize,
}

/// The waves, each a list of places among the candidates; what is as it shall be is in none of them.
pub(crate) fn plan(candidates: &[Candidate], pace: Pace) -> Vec<Vec<usize>> {
    let differs = |place: &usize| candidates[*place].begun || candidates[*place].from != candidates[*place].to;
    let differing = (0..candidates.len()).filter(differs);
    let (mut first, off): (Vec<_>, Vec<_>) = differing.partition(|&place| candidates[place].runs);
    first.extend(off);
    let mut rest = first.split_off(pace.canary.min(first.len()));
    // The others in the order in which they were named.
    rest.sort_unstable();
    let size = ((first.len() + rest.len()) * pace.percent).div_ceil(100).max(1);
    let waves = std::iter::once(first).chain(rest.chunks(size).map(<[usize]>::to_vec));
    waves.filter(|wave| !wave.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn content(digest: u8) -> Content {
        Content { image: "a:1".into(), digest: digest.to_string() }
    }

    fn candidate(from: u8, runs: bool, begun: bool) -> Candidate {
        Candidate { from: content(from), to: content(1), runs, begun }
    }

    fn sizes(nodes: usize, canary: usize, percent: usize) -> Vec<usize> {
        let nodes = vec![candidate(0, true, false); nodes];
        plan(&nodes, Pace { canary, percent }).iter().map(Vec::len).collect()
    }

    #[test]
    fn canaries_first_then_shares_of_all() {
        assert_eq!(sizes(12, 1, 25), [1, 3, 3, 3, 2]);
        assert_eq!(sizes(12, 2, 100), [2, 10]);
        assert_eq!(sizes(12, 0, 50), [6, 6]);
        assert_eq!(sizes(3, 9, 25), [3]);
        assert_eq!(sizes(3, 1, 1), [1, 1, 1]);
        assert_eq!(sizes(0, 1, 25), [0; 0]);
    }

    #[test]
    fn only_nodes_that_run_can_warn() {
        let nodes = [candidate(0, false, false), candidate(0, true, false), candidate(0, false, false)];
        assert_eq!(plan(&nodes, Pace { canary: 1, percent: 100 }), [vec![1], vec![0, 2]]);
        assert_eq!(plan(&nodes, Pace { canary: 2, percent: 100 }), [vec![1, 0], vec![2]]);
    }

    #[test]
    fn what_is_so_already_is_left_alone() {
        let nodes = [candidate(1, true, false), candidate(1, true, true), candidate(0, true, false)];
        assert_eq!(plan(&nodes, Pace { canary: 0, percent: 100 }), [[1, 2]]);
    }

    proptest! {
        #[test]
        fn every_node_that_differs_is_in_one_wave(
            nodes in proptest::collection::vec((0..2_u8, any::<bool>(), any::<bool>()), 0..60),
            canary in 0..70_usize,
            percent in 1..=100_usize,
        ) {
            let nodes: Vec<_> =
                nodes.into_iter().map(|(from, runs, begun)| candidate(from, runs, begun)).collect();
            let waves = plan(&nodes, Pace { canary, percent });
            let mut planned: Vec<usize> = waves.concat();
            planned.sort_unstable();
            let differs = |place: &usize| nodes[*place].begun || nodes[*place].from != nodes[*place].to;
            let differing: Vec<usize> = (0..nodes.len()).filter(differs).collect();
            prop_assert_eq!(&planned, &differing);
            prop_assert!(waves.iter().all(|wave| !wave.is_empty()));
            let size = (differing.len() * percent).div_ceil(100).max(1);
            prop_assert!(waves.iter().skip(usize::from(canary > 0)).all(|wave| wave.len() <= size));
            if canary > 0 && !differing.is_empty() {
                prop_assert_eq!(waves[0].len(), canary.min(differing.len()));
                let running = differing.iter().filter(|&&place| nodes[place].runs).count();
                let chosen = waves[0].iter().filter(|&&place| nodes[place].runs).count();
                prop_assert_eq!(chosen, waves[0].len().min(running));
            }
        }
    }
}
