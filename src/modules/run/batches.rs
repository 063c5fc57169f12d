//! Targets and answers a few at a time: playbooks that may work on no more hosts at once, and answers that are written down
//! together.

use std::collections::VecDeque;
use std::time::Duration;

use futures_util::stream::{LocalBoxStream, Stream, StreamExt, unfold};
use serde::de::DeserializeOwned;

use super::{Asked, ansible};
use crate::context::Context;
use crate::failure::Failure;
use crate::modules::WHOLE;
use crate::modules::manifest::Method;
use crate::modules::site::Ready;

/// What each target has answered.
type Answers<T> = Vec<(String, Result<T, Failure>)>;

/// A playbook goes over all of its hosts task by task. Where a module bounds how many it changes at once, each so many have a run
/// of their own; when one could not be run at all the rest is not tried.
pub(super) fn plays<'a, T: DeserializeOwned + 'a>(
    cx: &'a Context,
    ready: &'a Ready<'a>,
    method: Method,
    asked: Vec<Asked<'a>>,
) -> impl Stream<Item = Answers<T>> + 'a {
    let most = if ready.is_bounded(method) { ready.at_once(method) } else { asked.len() };
    unfold(batches(asked, most), move |mut waiting| async move {
        let answers = ansible::run::<T>(cx, ready, method, waiting.pop_front()?).await;
        if answers.iter().any(|(target, answer)| target == WHOLE && answer.is_err()) {
            waiting.clear();
        }
        Some((answers, waiting))
    })
}

fn batches<T>(all: Vec<T>, most: usize) -> VecDeque<Vec<T>> {
    let mut batches = VecDeque::new();
    let mut left = all.into_iter().peekable();
    while left.peek().is_some() {
        batches.push_back(left.by_ref().take(most.max(1)).collect());
    }
    batches
}

/// What comes within a while of the first, together; each alone where there is no such while.
pub(crate) fn gathered<'a, T: 'a>(
    from: impl Stream<Item = T> + Unpin + 'a,
    within: Duration,
) -> LocalBoxStream<'a, Vec<T>> {
    if within.is_zero() {
        return from.map(|one| vec![one]).boxed_local();
    }
    let groups = unfold(from.fuse(), move |mut from| async move {
        let mut all = vec![from.next().await?];
        let over = tokio::time::sleep(within);
        tokio::pin!(over);
        loop {
            tokio::select! {
                biased;
                () = &mut over => break,
                next = from.next() => match next {
                    Some(next) => all.push(next),
                    None => break,
                },
            }
        }
        Some((all, from))
    });
    groups.boxed_local()
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;

    #[test]
    fn as_many_at_once_as_may_be() {
        let check = |count: usize, most: usize, expected: &[usize]| {
            let sizes: Vec<usize> = batches(vec![0; count], most).iter().map(Vec::len).collect();
            assert_eq!(sizes, expected);
        };
        check(0, 3, &[]);
        check(3, 3, &[3]);
        check(4, 3, &[3, 1]);
        check(2, 0, &[1, 1]);
    }

    #[tokio::test]
    async fn what_comes_soon_after_another_is_taken_with_it() {
        let (sender, receiver) = mpsc::unbounded_channel();
        let answers = unfold(receiver, |mut receiver| async move { Some((receiver.recv().await?, receiver)) });
        let mut groups = gathered(answers.boxed_local(), Duration::from_millis(10));
        let send = |number: u32| sender.send(number).expect("somebody listens");
        [1, 2].into_iter().for_each(send);
        // Nothing more comes, and nobody waits for that.
        assert_eq!(groups.next().await, Some(vec![1, 2]));
        send(3);
        drop(sender);
        assert_eq!((groups.next().await, groups.next().await), (Some(vec![3]), None));
        let alone: Vec<Vec<u32>> = gathered(futures_util::stream::iter([1, 2]), Duration::ZERO).collect().await;
        assert_eq!(alone, [[1], [2]]);
    }
}
