//! In what BMCs differ from each other, as data: of the whole program this is the place that knows vendors.

use serde_json::{Value, json};

use super::document::Document;
use crate::BootDevice;
use crate::bmc::power::Push;

/// What is particular about the BMCs of one vendor.
#[derive(Debug, Clone, Copy)]
pub(super) struct Quirks {
    /// In small letters, as it stands in the service root's vendor, or as a key of what vendors have added to it.
    vendor: &'static str,
    /// Beginnings of the ids of "systems" that are parts of the machine, such as a board of accelerators.
    pub(super) parts: &'static [&'static str],
    /// The logs in which the machine's events are, the best first.
    pub(super) logs: &'static [&'static str],
    /// What has to be said to have a log cleared.
    pub(super) clearing: &'static [(&'static str, &'static str)],
    /// Accounts that look free and are not to be had, by their ids.
    pub(super) reserved: &'static [&'static str],
    /// Where its ssh has the machine's console, unless it says so itself.
    pub(super) ssh: SshConsole,
}

/// The console of a machine over ssh.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SshConsole {
    pub(super) port: u16,
    /// What is typed to get it from the BMC's own command line.
    pub(super) entry: Option<&'static str>,
}

const USUAL: Quirks = Quirks {
    vendor: "",
    parts: &[],
    logs: &["sel", "eventlog", "event", "log1", "log"],
    clearing: &[],
    reserved: &[],
    ssh: SshConsole { port: 22, entry: None },
};

const VENDORS: [Quirks; 6] = [
    Quirks { vendor: "ami", clearing: &[("ClearType", "ClearAll")], ..USUAL },
    Quirks { vendor: "dell", logs: &["sel", "lclog"], reserved: &["1"], ssh: typed("console com2"), ..USUAL },
    // The integrated management log; iLO keeps one of the BMC itself beside it.
    Quirks { vendor: "hpe", logs: &["iml", "iel", "event"], ssh: typed("vsp"), ..USUAL },
    Quirks {
        vendor: "lenovo",
        logs: &["sel", "platformlog", "activelog", "standardlog"],
        ssh: typed("console start"),
        ..USUAL
    },
    Quirks { vendor: "nvidia", parts: &["HGX_"], ..USUAL },
    Quirks { vendor: "openbmc", ssh: SshConsole { port: 2200, entry: None }, ..USUAL },
];

const fn typed(entry: &'static str) -> SshConsole {
    SshConsole { port: 22, entry: Some(entry) }
}

impl Quirks {
    /// Those of the vendor that a service root names.
    pub(super) fn of(root: &Document) -> &'static Self {
        let named = root.text(&["Vendor"]).into_iter().chain(root.names(&["Oem"]));
        let named: Vec<String> = named.map(|name| name.to_lowercase()).collect();
        let is_named =
            |quirks: &&Self| named.iter().any(|name| name.split([' ', ',', '.']).any(|word| word == quirks.vendor));
        VENDORS.iter().find(is_named).unwrap_or(&USUAL)
    }
}

/// What a machine may call this, the best first.
pub(super) fn resets(push: Push) -> &'static [&'static str] {
    match push {
        Push::On => &["On", "ForceOn", "PushPowerButton"],
        Push::Off => &["ForceOff"],
        Push::Reset => &["ForceRestart", "PowerCycle"],
        Push::Cycle => &["PowerCycle"],
        Push::Soft => &["GracefulShutdown", "PushPowerButton"],
    }
}

/// What it may call a device to boot from.
pub(super) fn targets(device: BootDevice) -> &'static [&'static str] {
    DEVICES.iter().find(|(known, _)| *known == device).map_or(&[], |(_, words)| words)
}

/// Which device it means by a word.
pub(super) fn device(word: &str) -> Option<BootDevice> {
    DEVICES.iter().find(|(_, words)| words.contains(&word)).map(|(device, _)| *device)
}

const DEVICES: [(BootDevice, &[&str]); 6] = [
    // Before the network, which it is a way to boot from.
    (BootDevice::Http, &["UefiHttp"]),
    (BootDevice::Network, &["Pxe", "UefiHttp"]),
    (BootDevice::Disk, &["Hdd"]),
    (BootDevice::Cd, &["Cd", "UsbCd"]),
    (BootDevice::Floppy, &["Floppy"]),
    (BootDevice::Setup, &["BiosSetup"]),
];

/// What may have to be said to have an image put in, to be tried in this order: some refuse what they have no use for, others
/// want to be told how to fetch it.
pub(super) fn insertions(image: &str) -> [Value; 3] {
    let scheme = image.split_once("://").map_or("http", |(scheme, _)| scheme).to_uppercase();
    [
        json!({ "Image": image, "Inserted": true, "WriteProtected": true }),
        json!({ "Image": image }),
        json!({ "Image": image, "TransferProtocolType": scheme, "TransferMethod": "Stream" }),
    ]
}

/// How it may be told to show its light. One that cannot shine without blinking blinks.
pub(super) const LIT: [&str; 2] = ["Lit", "Blinking"];

/// The first of our words that a machine takes; where it does not say what it takes, the best one.
pub(super) fn chosen(ours: &[&'static str], offered: Option<&[String]>) -> Option<&'static str> {
    match offered {
        Some(offered) => ours.iter().find(|word| offered.iter().any(|offer| offer == *word)).copied(),
        None => ours.first().copied(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vendors_are_recognised() {
        let check = |root: &str, expected: &str| {
            assert_eq!(Quirks::of(&Document::parse(root.as_bytes()).unwrap()).vendor, expected, "{root}");
        };
        check(r#"{"Vendor": "Dell Inc."}"#, "dell");
        check(r#"{"Oem": {"Hpe": {}}}"#, "hpe");
        check(r#"{"Vendor": "AMI"}"#, "ami");
        check(r#"{"Vendor": "Miami Boards"}"#, "");
        check("{}", "");
    }

    #[test]
    fn words_are_chosen_among_those_offered() {
        let offered = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        assert_eq!(chosen(resets(Push::On), None), Some("On"));
        assert_eq!(chosen(resets(Push::On), Some(&offered(&["ForceOff", "PushPowerButton"]))), Some("PushPowerButton"));
        assert_eq!(chosen(resets(Push::Cycle), Some(&offered(&["On"]))), None);
        assert_eq!(device("UefiHttp"), Some(BootDevice::Http));
        assert_eq!(device("Utilities"), None);
    }
}
