//! From arguments and configuration to what every command needs: where the data lie, which
//! database, which settings.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use hub_config::{Config, Database};

use crate::cli::Global;
use crate::{data_dir, document, services};

pub(crate) struct Setup {
    pub(crate) config: Config,
    /// The file that `config` was read from.
    pub(crate) config_file: Option<PathBuf>,
    pub(crate) data_dir: PathBuf,
}

impl Setup {
    /// Options win over the file, the file over the defaults; in the returned configuration that is
    /// settled.
    pub(crate) fn load(global: &Global) -> Result<Self> {
        let mut config = Config::default();
        let mut config_file = global.config.clone();
        if let Some(file) = &config_file {
            config = Config::load(file)?;
        }
        let data_dir = match global.data_dir.clone().or_else(|| config.general.data_directory.clone()) {
            Some(path) => path,
            None => data_dir::default_path()?,
        };
        let data_dir = std::path::absolute(&data_dir)
            .with_context(|| format!("the data directory {} is not a path", data_dir.display()))?;
        if config_file.is_none() {
            let file = data_dir.join("hub.toml");
            if file.exists() {
                config = Config::load(&file)?;
                refuse_other_directory(&config, &file, &data_dir)?;
                config_file = Some(file);
            }
        }
        if let Some(database) = &global.database {
            config.general.database = database.clone();
        }
        if let Some(format) = global.log {
            config.log.format = format;
        }
        Ok(Self { config, config_file, data_dir })
    }

    pub(crate) fn storage_options(&self) -> hub_storage::Options {
        let database = match &self.config.general.database {
            Database::Postgres(url) => hub_storage::Database::Postgres(url.clone()),
            Database::Sqlite => hub_storage::Database::Sqlite,
        };
        hub_storage::Options { data_dir: self.data_dir.clone(), database }
    }

    /// The database in words, without the password that its URL may hold.
    pub(crate) fn database_name(&self) -> String {
        match &self.config.general.database {
            Database::Postgres(url) => {
                let place = url.split_once("://").map_or("", |(_, rest)| rest);
                let place = place.rsplit_once('@').map_or(place, |(_, place)| place);
                let place = place.split_once('?').map_or(place, |(place, _)| place);
                format!("the PostgreSQL database {place}")
            }
            Database::Sqlite => "the SQLite database".to_owned(),
        }
    }

    pub(crate) fn hub_settings(&self) -> hub::Settings {
        let (limits, services) = (&self.config.limits, services::configured(&self.config));
        hub::Settings {
            default_quota: limits.quota.0.map(|size| size.0),
            index_cache: limits.index_cache.0,
            header_cache: limits.header_cache.0,
            message_cache: limits.message_cache.0,
            queue: hub::QueueSettings {
                relay: self.config.relay.host.is_some(),
                clock_scale: self.config.outbound.clock_scale,
            },
            files: file_settings(&self.config.files),
            document_reader: document::reader(),
            pages: services.https_origin(&services.host("*")),
        }
    }

    pub(crate) fn certificate_folder(&self) -> PathBuf {
        self.data_dir.join("certs")
    }

    pub(crate) fn hub_key_file(&self) -> PathBuf {
        self.data_dir.join("hub.key")
    }

    /// The hub's own name, for greetings and certificates, as DNS writes it: configured, else
    /// `mail.` of the first domain, else the machine's.
    pub(crate) fn host_name(&self, domains: &[String]) -> String {
        let configured = self.config.general.hostname.clone();
        let of_domain =
            || self.config.general.domains.first().or(domains.first()).map(|domain| format!("mail.{domain}"));
        let machine = || Some(rustix::system::uname().nodename().to_string_lossy().into_owned());
        configured
            .or_else(of_domain)
            .or_else(machine)
            .and_then(|name| hub_certs::ascii_name(&name))
            .unwrap_or_else(|| "localhost".to_owned())
    }
}

/// A hub.toml that was found in one data directory and names another would be followed by nobody.
fn refuse_other_directory(config: &Config, file: &Path, data_dir: &Path) -> Result<()> {
    if let Some(named) = &config.general.data_directory {
        let canonical = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
        if canonical(named) != canonical(data_dir) {
            bail!(
                "{} is in the data directory {} but its data_directory is {}; remove that line, or use \
                 --config {} without --data-dir",
                file.display(),
                data_dir.display(),
                named.display(),
                file.display()
            );
        }
    }
    Ok(())
}

fn file_settings(files: &hub_config::Files) -> hub::files::FileSettings {
    let days = |age: std::time::Duration| u32::try_from(age.as_secs().div_ceil(86_400)).unwrap_or(u32::MAX);
    hub::files::FileSettings {
        versions: files.versions as usize,
        version_days: days(files.version_age),
        trash_days: days(files.trash_age),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn global(data_dir: Option<&Path>, config: Option<&Path>) -> Global {
        Global {
            data_dir: data_dir.map(Path::to_owned),
            config: config.map(Path::to_owned),
            database: None,
            log: None,
        }
    }

    #[test]
    fn options_win_over_the_file() {
        let folder = tempfile::tempdir().expect("temporary directory");
        let file = folder.path().join("c.toml");
        fs::write(&file, "data_directory = \"data\"\n[log]\nformat = \"json\"\n").expect("writes");

        let setup = Setup::load(&global(None, Some(&file))).expect("loads");
        assert_eq!(setup.data_dir, folder.path().join("data"), "relative to the file");
        let other = folder.path().join("other");
        let mut options = global(Some(&other), Some(&file));
        options.database = Some(Database::Postgres("postgres://h/n".into()));
        options.log = Some(hub_config::LogFormat::Text);
        let setup = Setup::load(&options).expect("loads");
        assert_eq!(setup.data_dir, other);
        assert_eq!(setup.config.log.format, hub_config::LogFormat::Text);
        assert!(matches!(setup.storage_options().database, hub_storage::Database::Postgres(_)));
    }

    #[test]
    fn the_file_in_the_data_directory_is_found() {
        let folder = tempfile::tempdir().expect("temporary directory");
        let setup = Setup::load(&global(Some(folder.path()), None)).expect("loads");
        assert_eq!(setup.config, Config::default());
        let file = folder.path().join("hub.toml");
        fs::write(&file, "hostname = \"mx.a.test\"\ndata_directory = \".\"\n").expect("writes");
        let setup = Setup::load(&global(Some(folder.path()), None)).expect("loads");
        assert_eq!(setup.config_file, Some(file.clone()));
        assert_eq!(setup.host_name(&[]), "mx.a.test");

        fs::write(&file, "data_directory = \"/elsewhere\"\n").expect("writes");
        let error = Setup::load(&global(Some(folder.path()), None)).err().expect("refused").to_string();
        assert!(error.contains("its data_directory is /elsewhere"), "{error}");

        fs::write(&file, "hostnam = 1\n").expect("writes");
        let error = Setup::load(&global(Some(folder.path()), None)).err().expect("refused").to_string();
        assert!(error.ends_with("hub.toml:1: unknown key `hostnam`; did you mean `hostname`?"), "{error}");
        let missing = folder.path().join("none.toml");
        let error = Setup::load(&global(None, Some(&missing))).err().expect("refused").to_string();
        assert!(error.contains("none.toml: No such file"), "{error}");
    }

    #[test]
    fn a_database_is_named_without_its_password() {
        let mut setup =
            Setup { config: Config::default(), config_file: None, data_dir: PathBuf::from("/nowhere") };
        assert_eq!(setup.database_name(), "the SQLite database");
        for (url, expected) in [
            ("postgres://hub:s3cret@db.test:5433/hub", "db.test:5433/hub"),
            ("postgres://hub:s@3cret@db.test/hub?password=s3cret", "db.test/hub"),
            ("postgresql:///hub?host=/run/postgresql", "/hub"),
        ] {
            setup.config.general.database = Database::Postgres(url.to_owned());
            assert_eq!(setup.database_name(), format!("the PostgreSQL database {expected}"));
        }
    }

    #[test]
    fn host_names() {
        let mut setup =
            Setup { config: Config::default(), config_file: None, data_dir: PathBuf::from("/nowhere") };
        assert!(!setup.host_name(&[]).is_empty());
        assert_eq!(setup.host_name(&["b.test".to_owned()]), "mail.b.test");
        setup.config.general.domains = vec!["Ä.test".to_owned()];
        assert_eq!(setup.host_name(&["b.test".to_owned()]), "mail.xn--4ca.test");
        setup.config.general.hostname = Some("mx.a.test".to_owned());
        assert_eq!(setup.host_name(&["b.test".to_owned()]), "mx.a.test");
    }
}
