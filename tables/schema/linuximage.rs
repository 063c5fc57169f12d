//! What a Linux image is made of.

use super::{COMMENTS, Column, DISABLE, Scope, Table, key, list, text};

pub(crate) const TABLE: Table =
    Table { name: "linuximage", help: "What a Linux image is made of.", scope: Scope::Other, columns: COLUMNS };

const COLUMNS: &[Column] = &[
    key("imagename", "The image, as in table osimage."),
    text("template", "The answer file of the installer."),
    text("boottarget", "A target of table boottarget that replaces kernel and parameters."),
    text("addkcmdline", "More for the kernel's command line of nodes with this image."),
    list("pkglist", "Files that list the packages of the distribution to install."),
    list(
        "pkgdir",
        "Directories with the distribution's packages, or mirrors. A node installed from a directory has the mirrors named behind it in \
         sources.list; default is the distribution's.",
    ),
    list("otherpkglist", "Files that list further packages to install."),
    list("otherpkgdir", "Directories with further packages."),
    text("exlist", "A file that lists what to leave out of a diskless image."),
    text("postinstall", "Scripts to run on a diskless image once its packages are installed."),
    text("rootimgdir", "The directory where the diskless image is made."),
    text("kerneldir", "The directory with the kernel to use, if it is not the distribution's."),
    text("nodebootif", "Not used; kept for xCAT's dumps."),
    text("otherifce", "Not used; kept for xCAT's dumps."),
    list("netdrivers", "Drivers for the network to put into the initial ramdisk."),
    text("kernelver", "The version of the kernel to use."),
    text("krpmver", "The version of the kernel package, if it differs."),
    text("permission", "The permission of statelite mount points; default is 755."),
    text("dump", "Where nodes save a crash dump, such as nfs://server/dir."),
    text("crashkernelsize", "The memory kept for the crash kernel, such as 256M."),
    text("partitionfile", "A file or script that lays out the disks; 's:' stands before a script."),
    list("driverupdatesrc", "Driver updates for the installer, as dud:path or rpm:path."),
    COMMENTS,
    DISABLE,
];
