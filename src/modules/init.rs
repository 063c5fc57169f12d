//! A config to begin with: what the module proposes, in words; what somebody has edited is never lost.

use super::Module;
use super::config::{self, Config};
use super::contract::Proposal;
use super::manifest::Method;
use super::plan::write_private;
use super::run::Call;
use super::secrets::Secrets;
use super::site::Site;
use crate::context::Context;
use crate::failure::Failure;

/// What became of the file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Init {
    Written,
    /// It says the same.
    Same,
    /// It was edited, and this is what would be otherwise.
    Kept(String),
}

/// Writes the config of a module, or with `force` over one that differs.
pub(crate) async fn init(cx: &Context, site: &Site, module: &Module, force: bool) -> Result<(Config, Init), Failure> {
    let name = module.manifest.name();
    let old = Config::read(&site.home, module)?;
    // What has a wrong value cannot be asked about; the module then proposes as if there were nothing.
    let known = old.values(module).unwrap_or_default();
    let secrets = Secrets::of(&module.manifest.config, &known);
    let ready = site.ready(cx, module, known)?;
    let request = ready.request(Method::Init, super::WHOLE, &[]);
    let call = Call { module, method: Method::Init, request: &request, secrets: &secrets };
    let said = call.carry_out::<Proposal>(cx, None).await?;
    said.warnings.iter().for_each(|warning| cx.ui.warning(warning));
    let new = config::written(&module.manifest.config, &said.result.config)
        .map_err(|why| Failure::refused(format!("init of module {name}: {why}")))?;
    let done = match (old.text.is_empty(), old.text == new) {
        (_, true) => Init::Same,
        (false, false) if !force => Init::Kept(secrets.mask(&old.diff(&new))),
        _ => {
            write_private(&old.file, new.as_bytes())
                .map_err(|error| Failure::refused(format!("cannot write {}: {error}", old.file.display())))?;
            Init::Written
        }
    };
    Ok((old, done))
}
