//! Modules of the kernel that a node needs before it has its root.

/// What the buses of virtual machines need, which no driver of a network asks for.
pub const BUSES: &[&str] = &["virtio_pci"];

/// Drivers for networks that are taken along where a kernel has them, unless column `netdrivers` says which.
pub const NETWORKS: &[&str] = &[
    "virtio_net",
    "e1000",
    "e1000e",
    "igb",
    "igc",
    "ixgbe",
    "i40e",
    "ice",
    "tg3",
    "bnxt_en",
    "mlx4_en",
    "mlx5_core",
    "r8169",
    "ena",
    "vmxnet3",
    "hv_netvsc",
];

/// Without these there is no root.
pub const ROOT: &[&str] = &["loop", "squashfs", "overlay"];

/// What the maintenance system takes along where a kernel has it, to see disks and the BMC.
pub const HARDWARE: &[&str] = &[
    "sd_mod",
    "ahci",
    "ata_piix",
    "nvme",
    "virtio_blk",
    "virtio_scsi",
    "megaraid_sas",
    "mpt3sas",
    "smartpqi",
    "aacraid",
    "hpsa",
    "ipmi_si",
    "ipmi_devintf",
];

/// A module to be loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Module {
    /// As `modprobe -d ROOT` names it: with the path of the root in front.
    pub path: String,
    pub options: String,
}

/// What `modprobe --show-depends` said of one or several modules: what to load in which order, each once.
pub fn in_order(said: &str) -> Vec<Module> {
    let mut modules: Vec<Module> = Vec::new();
    for line in said.lines() {
        let Some(words) = line.trim().strip_prefix("insmod ") else { continue };
        let (path, options) = words.split_once(' ').unwrap_or((words, ""));
        if modules.iter().all(|module| module.path != path) {
            modules.push(Module { path: path.to_owned(), options: options.trim().to_owned() });
        }
    }
    modules
}

/// How a module's file is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packed {
    Not,
    Gzip,
    Xz,
    Zstd,
}

impl Module {
    /// By the end of its name.
    pub fn packed(&self) -> Packed {
        match self.path.rsplit_once(".ko").map(|(_, end)| end) {
            Some(".gz") => Packed::Gzip,
            Some(".xz") => Packed::Xz,
            Some(".zst") => Packed::Zstd,
            _ => Packed::Not,
        }
    }

    /// The name of its file, unpacked.
    pub fn file_name(&self) -> String {
        let name = self.path.rsplit('/').next().unwrap_or(&self.path);
        let stem = name.split(".ko").next().unwrap_or(name);
        format!("{stem}.ko")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_loaded_once_after_what_it_needs() {
        let said = "insmod /r/lib/modules/6.1/kernel/drivers/virtio/virtio_ring.ko \n\
                    builtin pci\n\
                    insmod /r/lib/modules/6.1/kernel/drivers/virtio/virtio.ko.xz \n\
                    insmod /r/lib/modules/6.1/kernel/drivers/virtio/virtio_ring.ko \n\
                    insmod /r/lib/modules/6.1/kernel/drivers/block/loop.ko.zst max_loop=8 max_part=1\n";
        let modules = in_order(said);
        let shown: Vec<_> =
            modules.iter().map(|module| (module.file_name(), module.packed(), module.options.as_str())).collect();
        let expected = [
            ("virtio_ring.ko".to_owned(), Packed::Not, ""),
            ("virtio.ko".to_owned(), Packed::Xz, ""),
            ("loop.ko".to_owned(), Packed::Zstd, "max_loop=8 max_part=1"),
        ];
        assert_eq!(shown, expected);
    }
}
