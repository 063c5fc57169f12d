//! What of a machine asks: its firmware, iPXE or a system that runs; and what each boots from.

use std::net::Ipv4Addr;

use super::options;
use super::packet::Request;

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Client {
    /// iPXE, wherever it came from; it runs scripts.
    Ipxe,
    /// Firmware that loads a program by TFTP.
    Pxe(Platform),
    /// Firmware that loads a program by HTTP.
    Http(Platform),
    /// Firmware for which there is no program, by the first architecture that it names.
    Foreign(u16),
    /// A system that runs.
    System,
}

/// What programs a machine runs before it has a system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Platform {
    Bios,
    /// UEFI on x86-64.
    X64,
    /// UEFI on arm64.
    Arm64,
}

/// What is booted from, as the client reaches it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The server of programs by TFTP.
    pub tftp: Option<Ipv4Addr>,
    /// Where the server of programs and scripts by HTTP is: `http://10.0.0.1:8080`.
    pub http: Option<String>,
}

impl Client {
    pub fn of(request: &Request) -> Self {
        let option = |code| request.options.get(code).unwrap_or_default();
        // iPXE writes its user class without the length that RFC 3004 puts before it.
        if request.options.get(options::IPXE).is_some() || option(options::USER_CLASS).ends_with(b"iPXE") {
            return Self::Ipxe;
        }
        let class = option(options::CLASS);
        let architectures = request.options.get(options::ARCHITECTURES);
        let known: fn(Platform) -> Self = match class {
            _ if class.starts_with(b"HTTPClient") => Self::Http,
            _ if class.starts_with(b"PXEClient") => Self::Pxe,
            _ => return Self::System,
        };
        let foreign = || numbers(architectures?).next().map(Self::Foreign);
        platform(architectures).map(known).or_else(foreign).unwrap_or(Self::System)
    }

    /// The name of what it is to boot: a file by TFTP or an URL. None where there is nothing for it, or nobody who serves it.
    pub fn boot_file(self, source: &Source, request: &Request) -> Option<String> {
        let http = source.http.as_deref();
        match self {
            Self::Ipxe => Some(format!("{}/node/{}", http?, request.mac.to_string().replace(':', "-"))),
            Self::Http(platform) => Some(format!("{}/loader/{}", http?, platform.loader())),
            Self::Pxe(platform) => source.tftp.map(|_| platform.loader().to_owned()),
            Self::Foreign(_) | Self::System => None,
        }
    }
}

/// What firmware is for which there is no loader, in words.
pub(super) fn foreign(architecture: u16) -> String {
    let kind = match architecture {
        6 | 15 => "UEFI of 32 bits (ia32), ",
        2 => "Itanium, ",
        10 | 18 => "UEFI on 32-bit ARM, ",
        25..=30 => "UEFI on RISC-V, ",
        37..=40 => "UEFI on LoongArch, ",
        _ => "",
    };
    format!("{kind}architecture {architecture}")
}

impl Platform {
    /// iPXE for it, as Debian's package calls the file. It starts at once where it uses the firmware's own driver.
    fn loader(self) -> &'static str {
        match self {
            Self::Bios => "undionly.kpxe",
            Self::X64 => "snponly.efi",
            Self::Arm64 => "ipxe-arm64.efi",
        }
    }
}

/// The first of the machine's architectures that there is a loader for (RFC 4578 and IANA's list after it). Firmware that
/// names none is older than the option.
fn platform(architectures: Option<&[u8]>) -> Option<Platform> {
    let Some(architectures) = architectures else { return Some(Platform::Bios) };
    numbers(architectures).find_map(|number| match number {
        0 => Some(Platform::Bios),
        7 | 9 | 16 => Some(Platform::X64),
        11 | 19 => Some(Platform::Arm64),
        _ => None,
    })
}

fn numbers(architectures: &[u8]) -> impl Iterator<Item = u16> {
    architectures.chunks_exact(2).map(|number| u16::from_be_bytes([number[0], number[1]]))
}
