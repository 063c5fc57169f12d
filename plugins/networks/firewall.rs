//! What a host's packet filter does with packets that only cross one of its bridges.
//!
//! With br_netfilter such packets go through iptables' chain FORWARD, once in and once out by the same bridge. The chain is
//! walked for a new packet within the network; a rule that looks at more than we know of it is no certain answer.

use std::collections::HashMap;

use ipnetwork::IpNetwork;

use super::ranges::overlap;

/// Chains that jump in a circle end here.
const DEPTH: usize = 16;

/// What becomes of the packets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fate {
    Passed,
    /// By that rule or policy.
    Dropped(String),
    /// Of some of them, or of all if something holds that we cannot know.
    PerhapsDropped(String),
}

/// Walks chain FORWARD of what `iptables -S` printed.
pub(super) fn fate(rules: &str, bridge: &str, subnet: IpNetwork) -> Fate {
    let (mut chains, mut policy): (HashMap<&str, Vec<Rule>>, _) = (HashMap::new(), None);
    for line in rules.lines() {
        match line.split_whitespace().collect::<Vec<_>>().as_slice() {
            ["-P", "FORWARD", word] => policy = Some(*word),
            ["-A", chain, ..] => chains.entry(chain).or_default().push(rule(line, bridge, subnet)),
            _ => (),
        }
    }
    let mut suspect = None;
    let end = walk(&chains, "FORWARD", &mut suspect, DEPTH);
    match end {
        Some(End::Dropped(by)) => Fate::Dropped(by),
        None if policy.is_some_and(|policy| policy != "ACCEPT") => Fate::Dropped("-P FORWARD DROP".into()),
        Some(End::Accepted) | None => suspect.map_or(Fate::Passed, Fate::PerhapsDropped),
    }
}

#[derive(Debug)]
struct Rule {
    text: String,
    fits: Fits,
    target: String,
}

/// Whether a rule is about our packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fits {
    No,
    Perhaps,
    Yes,
}

enum End {
    Accepted,
    Dropped(String),
}

/// None where the chain leaves the answer to its caller.
fn walk(chains: &HashMap<&str, Vec<Rule>>, chain: &str, suspect: &mut Option<String>, depth: usize) -> Option<End> {
    for rule in chains.get(chain).into_iter().flatten().filter(|rule| rule.fits != Fits::No) {
        let end = match rule.target.as_str() {
            "ACCEPT" => Some(End::Accepted),
            "DROP" | "REJECT" => Some(End::Dropped(rule.text.clone())),
            "RETURN" if rule.fits == Fits::Yes => return None,
            other if depth > 0 && chains.contains_key(other) => walk(chains, other, suspect, depth - 1),
            _ => None,
        };
        match (end, rule.fits) {
            (Some(end), Fits::Yes) => return Some(end),
            (Some(End::Dropped(by)), _) if suspect.is_none() => *suspect = Some(by),
            _ => (),
        }
    }
    None
}

/// Reads a rule as one about packets of `subnet` from `bridge` to `bridge`.
fn rule(line: &str, bridge: &str, subnet: IpNetwork) -> Rule {
    let words = words(line);
    let mut rule = Rule { text: line.to_owned(), fits: Fits::Yes, target: String::new() };
    let mut words = words.iter().map(String::as_str).skip(2);
    let mut negated = false;
    while let Some(word) = words.next() {
        let fits = match word {
            "!" => {
                negated = true;
                continue;
            }
            "-j" | "-g" => {
                rule.target = words.next().unwrap_or_default().to_owned();
                break;
            }
            "-i" | "-o" => certain(is_device(words.next().unwrap_or_default(), bridge)),
            "-s" | "-d" => within(words.next().unwrap_or_default(), subnet),
            // A new packet; what belongs to a connection that was let through comes later.
            "--ctstate" | "--state" => certain(words.next().unwrap_or_default().split(',').any(|state| state == "NEW")),
            "--comment" => {
                words.next();
                Fits::Yes
            }
            "--physdev-is-bridged" => Fits::Yes,
            "-m" => match words.next().unwrap_or_default() {
                "conntrack" | "state" | "comment" | "physdev" => Fits::Yes,
                _ => Fits::Perhaps,
            },
            _ => Fits::Perhaps,
        };
        let fits = match (std::mem::take(&mut negated), fits) {
            (true, Fits::Yes) => Fits::No,
            (true, Fits::No) => Fits::Yes,
            (_, fits) => fits,
        };
        rule.fits = rule.fits.min(fits);
    }
    rule
}

fn certain(fits: bool) -> Fits {
    if fits { Fits::Yes } else { Fits::No }
}

fn is_device(pattern: &str, device: &str) -> bool {
    pattern.strip_suffix('+').map_or(pattern == device, |start| device.starts_with(start))
}

fn within(range: &str, subnet: IpNetwork) -> Fits {
    let Ok(range) = range.parse::<IpNetwork>() else { return Fits::Perhaps };
    match overlap(range, subnet) {
        false => Fits::No,
        true if range.prefix() <= subnet.prefix() => Fits::Yes,
        true => Fits::Perhaps,
    }
}

/// Words of a line in which comments stand in quotes.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted, mut escaped) = (Vec::new(), String::new(), false, false);
    for letter in line.chars() {
        match letter {
            _ if std::mem::take(&mut escaped) => word.push(letter),
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ' ' if !quoted => words.push(std::mem::take(&mut word)),
            _ => word.push(letter),
        }
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What an engine lays down for its bridge docker0 and for br-t.
    const ENGINE: &str = "-P INPUT ACCEPT\n-P FORWARD DROP\n-P OUTPUT ACCEPT\n-N DOCKER-USER\n-N DOCKER\n-N STAGE\n\
        -A FORWARD -j DOCKER-USER\n-A FORWARD -j STAGE\n\
        -A FORWARD -o br-t -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n-A FORWARD -o br-t -j DOCKER\n\
        -A FORWARD -i br-t ! -o br-t -j ACCEPT\n-A FORWARD -i br-t -o br-t -j ACCEPT\n\
        -A DOCKER-USER -j RETURN\n-A STAGE -i docker0 ! -o docker0 -j DROP\n-A STAGE ! -s 10.80.0.0/16 -o br-t -j DROP\n-A STAGE -j RETURN";

    fn check(rules: &str, expected: Fate) {
        assert_eq!(fate(rules, "br-t", "10.80.0.0/16".parse().unwrap()), expected, "{rules}");
    }

    fn dropped(rule: &str) {
        check(&format!("-P FORWARD ACCEPT\n{rule}"), Fate::Dropped(rule.lines().last().unwrap().into()));
    }

    #[test]
    fn an_engine_lets_its_own_bridges_pass() {
        check(ENGINE, Fate::Passed);
        assert_eq!(fate(ENGINE, "br-u", "10.81.0.0/16".parse().unwrap()), Fate::Dropped("-P FORWARD DROP".into()));
        check("", Fate::Passed);
        check("-P FORWARD ACCEPT", Fate::Passed);
        check("-P FORWARD DROP", Fate::Dropped("-P FORWARD DROP".into()));
    }

    #[test]
    fn what_drops_is_named() {
        dropped("-A FORWARD -j DROP");
        dropped("-A FORWARD -i br-t -j DROP");
        dropped("-A FORWARD -i br-+ -o br-t -j REJECT --reject-with icmp-port-unreachable");
        dropped("-A FORWARD -s 10.0.0.0/8 -m comment --comment \"it \\\"is\\\" -j ACCEPT\" -j DROP");
        dropped("-A FORWARD ! -d 10.99.0.0/16 -j DROP");
        dropped("-A FORWARD -j OWN\n-A OWN -m conntrack --ctstate NEW -j DROP");
        check(
            &ENGINE.replace("DOCKER-USER -j RETURN", "DOCKER-USER -i br-t -j DROP"),
            Fate::Dropped("-A DOCKER-USER -i br-t -j DROP".into()),
        );
    }

    #[test]
    fn rules_about_others_do_not_count() {
        let passed = |rule: &str| check(&format!("-P FORWARD ACCEPT\n{rule}"), Fate::Passed);
        passed("-A FORWARD -i br-u -j DROP");
        passed("-A FORWARD -i br-t ! -o br-t -j DROP");
        passed("-A FORWARD -s 10.99.0.0/16 -j DROP");
        passed("-A FORWARD -m conntrack --ctstate INVALID -j DROP");
        passed("-A FORWARD -j OWN\n-A OWN -j RETURN\n-A OWN -j DROP");
        passed("-A FORWARD -j LOG\n-A LOOP -j LOOP\n-A FORWARD -j LOOP");
    }

    #[test]
    fn what_cannot_be_known_is_a_suspicion() {
        let perhaps = |rule: &str| check(&format!("-P FORWARD ACCEPT\n{rule}"), Fate::PerhapsDropped(rule.into()));
        perhaps("-A FORWARD -p icmp -j DROP");
        perhaps("-A FORWARD -s 10.80.3.0/24 -j DROP");
        perhaps("-A FORWARD -m limit --limit 1/s -j DROP");
    }

    proptest! {
        #[test]
        fn nothing_panics(text in "[-APF !a-z\"\\\\+/0-9.\n]{0,200}") {
            fate(&text, "br-t", "10.80.0.0/16".parse().unwrap());
        }
    }
}
