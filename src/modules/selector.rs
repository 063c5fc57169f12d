//! Which modules are meant: expressions about labels, of which all must hold.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize, Serializer};

use super::version;

/// What a module says of itself.
pub(crate) type Labels = BTreeMap<String, String>;

/// How a label is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    Eq,
    Ne,
    In,
    NotIn,
    Exists,
    NotExists,
    /// The four that go by the order of versions; what is no version fulfils none of them.
    Gt,
    Ge,
    Lt,
    Le,
}

const OPERATORS: [(&str, Operator); 10] = [
    ("eq", Operator::Eq),
    ("ne", Operator::Ne),
    ("in", Operator::In),
    ("notin", Operator::NotIn),
    ("exists", Operator::Exists),
    ("notexists", Operator::NotExists),
    ("gt", Operator::Gt),
    ("ge", Operator::Ge),
    ("lt", Operator::Lt),
    ("le", Operator::Le),
];

impl Operator {
    fn name(self) -> &'static str {
        OPERATORS.iter().find(|(_, operator)| *operator == self).expect("every operator has a name").0
    }

    /// How many values it takes; `None` is one or more.
    fn arity(self) -> Option<usize> {
        match self {
            Self::Exists | Self::NotExists => Some(0),
            Self::In | Self::NotIn => None,
            Self::Eq | Self::Ne | Self::Gt | Self::Ge | Self::Lt | Self::Le => Some(1),
        }
    }

    fn orders(self) -> bool {
        matches!(self, Self::Gt | Self::Ge | Self::Lt | Self::Le)
    }
}

/// `KEY OPERATOR [VALUE,…]`: something that is said about one label.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Expression {
    key: String,
    operator: Operator,
    values: Vec<String>,
}

impl Expression {
    /// A label that is not there equals nothing: `ne` and `notin` hold then.
    fn holds(&self, labels: &Labels) -> bool {
        let label = labels.get(&self.key);
        let is_among = || label.is_some_and(|label| self.values.contains(label));
        match self.operator {
            Operator::Exists => label.is_some(),
            Operator::NotExists => label.is_none(),
            Operator::Eq | Operator::In => is_among(),
            Operator::Ne | Operator::NotIn => !is_among(),
            Operator::Gt => self.compares(label, std::cmp::Ordering::is_gt),
            Operator::Ge => self.compares(label, std::cmp::Ordering::is_ge),
            Operator::Lt => self.compares(label, std::cmp::Ordering::is_lt),
            Operator::Le => self.compares(label, std::cmp::Ordering::is_le),
        }
    }

    fn compares(&self, label: Option<&String>, is_so: impl Fn(std::cmp::Ordering) -> bool) -> bool {
        let label = label.and_then(|label| version::parse(label));
        let value = self.values.first().and_then(|value| version::parse(value));
        // Builds of one version are one: "+deb12" says how it was made and not what it is.
        label.zip(value).is_some_and(|(label, value)| is_so(label.cmp_precedence(&value)))
    }
}

impl FromStr for Expression {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut words = text.split_whitespace();
        let key = words.next().ok_or("an expression is 'KEY OPERATOR [VALUE,…]', and this one is empty")?;
        let name = words.next().ok_or_else(|| format!("'{text}' has no operator"))?;
        let (_, operator) = *OPERATORS.iter().find(|(known, _)| *known == name).ok_or_else(|| {
            let known: Vec<_> = OPERATORS.iter().map(|(name, _)| *name).collect();
            format!("'{text}': there is no operator '{name}'; there are {}", known.join(" "))
        })?;
        let values: Vec<String> =
            words.flat_map(|word| word.split(',')).filter(|value| !value.is_empty()).map(str::to_owned).collect();
        match operator.arity() {
            Some(0) if !values.is_empty() => return Err(format!("'{text}': {name} takes no value")),
            Some(1) if values.len() != 1 => return Err(format!("'{text}': {name} takes one value")),
            None if values.is_empty() => return Err(format!("'{text}': {name} takes values, by comma")),
            _ => {}
        }
        if let Some(value) = values.iter().find(|value| operator.orders() && version::parse(value).is_none()) {
            return Err(format!("'{text}': '{value}' is no version, as 1.2.3 is one"));
        }
        Ok(Self { key: key.to_owned(), operator, values })
    }
}

impl TryFrom<String> for Expression {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl Serialize for Expression {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.key, self.operator.name())?;
        match self.values.is_empty() {
            true => Ok(()),
            false => write!(f, " {}", self.values.join(",")),
        }
    }
}

/// Modules that are meant: those of which every expression holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Expression>")]
pub(crate) struct Selector(Vec<Expression>);

impl Selector {
    /// Without an expression it would mean every module there is, which nobody wants to require.
    pub(crate) fn new(expressions: Vec<Expression>) -> Result<Self, String> {
        match expressions.is_empty() {
            true => Err("a selector has at least one expression".into()),
            false => Ok(Self(expressions)),
        }
    }

    pub(crate) fn matches(&self, labels: &Labels) -> bool {
        self.0.iter().all(|expression| expression.holds(labels))
    }
}

impl TryFrom<Vec<Expression>> for Selector {
    type Error = String;

    fn try_from(expressions: Vec<Expression>) -> Result<Self, String> {
        Self::new(expressions)
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<_> = self.0.iter().map(Expression::to_string).collect();
        f.write_str(&parts.join(" and "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn each_operator() {
        let labels = labels(&[("name", "kafka"), ("version", "2.10+site1"), ("kind", "stream")]);
        let check = |text: &str, expected: bool| {
            assert_eq!(text.parse::<Expression>().unwrap().holds(&labels), expected, "{text}");
        };
        check("name eq kafka", true);
        check("name eq Kafka", false);
        check("name ne kafka", false);
        check("owner ne ada", true);
        check("kind in queue,stream", true);
        check("kind in queue", false);
        check("kind notin queue, stream", false);
        check("owner notin ada", true);
        check("kind exists", true);
        check("kind notexists", false);
        check("owner notexists", true);
        check("version ge 2.10.0", true);
        check("version gt 2.10", false);
        check("version gt 2.9", true);
        check("version lt 2.11.0-rc1", true);
        check("version le 2.10", true);
        check("name ge 1", false);
        check("owner lt 1", false);
    }

    #[test]
    fn what_is_no_expression_says_why() {
        let check = |text: &str, expected: &str| {
            let why = text.parse::<Expression>().unwrap_err();
            assert!(why.contains(expected), "{text}: {why}");
        };
        check("", "empty");
        check("name", "has no operator");
        check("name is kafka", "there is no operator 'is'; there are eq ne in");
        check("name eq", "eq takes one value");
        check("name eq a,b", "eq takes one value");
        check("name exists a", "exists takes no value");
        check("name in ,", "in takes values");
        check("version gt new", "'new' is no version");
    }

    #[test]
    fn all_expressions_must_hold_and_there_is_one() {
        let both = Selector::new(vec!["kind eq stream".parse().unwrap(), "version ge 3".parse().unwrap()]).unwrap();
        assert!(both.matches(&labels(&[("kind", "stream"), ("version", "3.1")])));
        assert!(!both.matches(&labels(&[("kind", "stream"), ("version", "2")])));
        assert_eq!(both.to_string(), "kind eq stream and version ge 3");
        assert!(Selector::new(Vec::new()).is_err());
    }
}
