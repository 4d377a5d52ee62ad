//! The certificate from a public authority.

use hub_certs::acme;

use super::{Level, Report, examine_certificate};
use crate::setup::Setup;

pub(super) fn check(setup: &Setup, host_name: &str, now: i64, report: &mut Report) {
    if let Err(error) = crate::acme::settings(&setup.config) {
        report.add(Level::Wrong, &format!("{error:#}"));
    }
    let folder = setup.certificate_folder();
    let file = acme::certificate_file(&folder);
    if file.exists() {
        if let Some(certificate) = examine_certificate(&file, &file, now, report)
            && !certificate.fits(host_name)
        {
            let text = format!("it does not name {host_name}, which is how this hub calls itself");
            report.add(Level::Warning, &text);
        }
    } else {
        let text = format!(
            "none yet from {}; until then the hub shows its own, which mail programs ask about",
            setup.config.acme.directory
        );
        report.add(Level::Warning, &text);
    }
    if let Some(why) = acme::last_trouble(&folder) {
        report.add(Level::Warning, &format!("the last attempt to get one failed: {why}"));
    }
}
