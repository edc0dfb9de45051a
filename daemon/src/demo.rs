//! stub
use crate::{args::Demo, commands::Context, failure::Failure};
pub(crate) fn demo(_: &Context, _: Demo) -> Result<(), Failure> {
    Ok(())
}
