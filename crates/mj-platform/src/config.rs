//! One configuration file (`mingjian.toml` in the data directory) plus environment, checked at start.
//!
//! `MINGJIAN_DATABASE_URL` overrides `database.url`, and so on: section and key in capitals.

use std::path::{Path, PathBuf};
use std::time::Duration;

use mj_ledger::{VerifierKey, WitnessKey};
use serde::Deserialize;

use crate::error::{Error, Result};
use crate::networks::Networks;

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct File {
    database: DatabaseSection,
    server: ServerSection,
    node: NodeSection,
    ledger: LedgerSection,
    access: AccessSection,
    portal: PortalSection,
    backup: BackupSection,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct BackupSection {
    folder: Option<PathBuf>,
    every_minutes: Option<u32>,
    keep_days: Option<u32>,
    wal_folder: Option<PathBuf>,
}

/// Where copies of the node go while it runs, and how often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backups {
    /// Nothing is copied by itself unless a place is named.
    pub folder: Option<PathBuf>,
    pub every_minutes: u32,
    /// Copies of every minute for two days, one a day for so many.
    pub keep_days: u32,
    /// Where PostgreSQL's `archive_command` leaves its log.
    pub wal_folder: Option<PathBuf>,
}

// no Debug: addresses hold passwords
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct DatabaseSection {
    url: Option<String>,
    migrate_url: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct ServerSection {
    port: Option<u16>,
    address: Option<String>,
    trusted_proxies: Vec<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct NodeSection {
    name: Option<String>,
    area: Option<String>,
    production: Option<bool>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct LedgerSection {
    verify_minutes: Option<u32>,
    volume: Option<String>,
    witness_seconds: Option<u32>,
    witness_alarm_minutes: Option<u32>,
    witness_stop_minutes: Option<u32>,
    anchor_seconds: Option<u32>,
    witnesses: Vec<WitnessSection>,
    witness_for: Vec<LogSection>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct WitnessSection {
    url: String,
    key: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct LogSection {
    origin: String,
    key: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct AccessSection {
    second_factor: Option<String>,
    password_profile: Option<String>,
    password_hash: Option<String>,
    admin_networks: Vec<String>,
    sessions_at_once: Option<u32>,
}

/// What stands in the foot and the metas of public pages. Nothing is made up: what is not said here is
/// not shown.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PortalSection {
    /// 主办单位
    pub organiser: Option<String>,
    /// 承办单位
    pub operator: Option<String>,
    /// 政府网站标识码
    pub site_code: Option<String>,
    /// ICP 备案号
    pub icp: Option<String>,
    /// 公安备案号
    pub police: Option<String>,
    /// The address the public uses, without a scheme.
    pub domain: Option<String>,
    /// 联系电话
    pub contact: Option<String>,
    /// Under which terms open data may be used.
    pub licence: Option<String>,
}

/// Who watches this node's log, and whose logs this node watches.
#[derive(Debug, Clone)]
pub struct WitnessSettings {
    /// How often the witnesses are asked.
    pub every: Duration,
    /// A cosignature older than this is an alarm.
    pub alarm: Duration,
    /// Anchored acts stop when every witness is silent for longer; zero: never.
    pub stop: Duration,
    /// How long an anchored act waits for its checkpoint.
    pub patience: Duration,
    pub witnesses: Vec<WitnessAt>,
    pub witness_for: Vec<VerifierKey>,
}

/// A witness and where it listens.
#[derive(Debug, Clone)]
pub struct WitnessAt {
    /// Up to `/add-checkpoint`, without the slash.
    pub url: String,
    pub key: WitnessKey,
}

impl WitnessSettings {
    fn of(section: LedgerSection, env: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let seconds = |name: &str, set: Option<u32>, unless: u32, unit: u64| {
            let number = match env(&format!("MINGJIAN_LEDGER_{}", name.to_ascii_uppercase())) {
                Some(text) => text
                    .parse::<u32>()
                    .map_err(|_| Error::Config(format!("ledger.{name}={text} 不是数字")))?,
                None => set.unwrap_or(unless),
            };
            Ok::<_, Error>(Duration::from_secs(u64::from(number) * unit))
        };
        let every = seconds("witness_seconds", section.witness_seconds, 60, 1)?;
        if every.is_zero() {
            return Err(Error::Config("ledger.witness_seconds 应大于 0".into()));
        }
        let mut witnesses = Vec::new();
        for one in section.witnesses {
            let key = WitnessKey::parse(&one.key).map_err(|_| {
                Error::Config(format!(
                    "ledger.witnesses 中 {} 的 key 不是见证公钥（用 mingjian log keys 查看）",
                    one.url
                ))
            })?;
            if !one.url.starts_with("http://") {
                return Err(Error::Config(format!(
                    "ledger.witnesses 的 url={} 应以 http:// 开头；内容有签名，加密传输由网关承担",
                    one.url
                )));
            }
            witnesses.push(WitnessAt { url: one.url.trim_end_matches('/').to_owned(), key });
        }
        let mut witness_for = Vec::new();
        for one in section.witness_for {
            let key = VerifierKey::parse(&one.key).map_err(|_| {
                Error::Config(format!(
                    "ledger.witness_for 中 {} 的 key 不是日志公钥（用 mingjian log keys 查看）",
                    one.origin
                ))
            })?;
            if key.name != one.origin {
                return Err(Error::Config(format!(
                    "ledger.witness_for 的 origin={} 与公钥的名称 {} 不同",
                    one.origin, key.name
                )));
            }
            witness_for.push(key);
        }
        Ok(Self {
            every,
            alarm: seconds("witness_alarm_minutes", section.witness_alarm_minutes, 10, 60)?,
            stop: seconds("witness_stop_minutes", section.witness_stop_minutes, 240, 60)?,
            patience: seconds("anchor_seconds", section.anchor_seconds, 10, 1)?,
            witnesses,
            witness_for,
        })
    }
}

/// An address that may hold a password, which no `{:?}` shows.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretUrl(String);

impl SecretUrl {
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretUrl(…)")
    }
}

/// The settings in force.
#[derive(Debug, Clone)]
pub struct Config {
    pub data_dir: PathBuf,
    /// `sqlite:<data dir>/db/mingjian.sqlite3` unless said otherwise.
    pub database_url: SecretUrl,
    /// PostgreSQL: whose role migrates and owns the tables, where that is not the one that serves.
    pub migrate_url: Option<SecretUrl>,
    pub port: u16,
    /// What to listen on; `::` takes IPv6 and IPv4 from one socket.
    pub address: std::net::IpAddr,
    /// Proxies whose word on where a request comes from is taken; empty: nobody's.
    pub trusted_proxies: Networks,
    /// The name in page heads.
    pub node_name: String,
    /// The division this node serves.
    pub area: String,
    /// Real work: keys that were made for trying are refused.
    pub production: bool,
    /// How often the tables that people work on are held against the log; 0 is never.
    pub verify_minutes: u32,
    /// Whether a new year begins a new volume of the log (`ledger.volume`: `year` unless said, `never`).
    pub yearly: bool,
    pub witness: WitnessSettings,
    /// Who must have a second factor: `optional`, `administrators` (unless said) or `everybody`.
    pub second_factor: String,
    /// Which rules passwords follow: `default` (unless said), `mlps` (等保) or `asvs`.
    pub password_profile: String,
    /// How they are hashed: `argon2id` (unless said) or `pbkdf2-sm3` (国密).
    pub password_hash: String,
    /// From where alone administrators may enter; empty: from everywhere.
    pub admin_networks: Networks,
    /// How many sessions of a kind (web, mobile) one account may have at once, where it is said.
    pub sessions_at_once: Option<u32>,
    /// The public site's own words.
    pub portal: PortalSection,
    pub backups: Backups,
}

impl Config {
    pub const DEFAULT_NAME: &str = "明鉴";
    /// Unless `access.sessions_at_once` says otherwise.
    pub const SESSIONS_AT_ONCE: u32 = 1;

    /// Reads `<data_dir>/mingjian.toml` if it is there, then the environment.
    pub fn load(data_dir: &Path) -> Result<Self> {
        Self::load_with(data_dir, |name| std::env::var(name).ok())
    }

    fn load_with(data_dir: &Path, env: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let path = data_dir.join("mingjian.toml");
        let file = match std::fs::read_to_string(&path) {
            Ok(text) => toml::from_str::<File>(&text).map_err(|error| {
                let place = error.span().map_or(String::new(), |span| place(&text, span.start));
                Error::Config(format!("{}{place}：{}", path.display(), error.message()))
            })?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => File::default(),
            Err(error) => return Err(Error::io(&path)(error)),
        };
        let database_url =
            env("MINGJIAN_DATABASE_URL").or(file.database.url).unwrap_or_else(|| {
                format!("sqlite:{}", data_dir.join("db").join("mingjian.sqlite3").display())
            });
        if !["sqlite:", "postgres:", "postgresql:"]
            .iter()
            .any(|kind| database_url.starts_with(kind))
        {
            return Err(Error::Config(
                "database.url 应以 sqlite: 或 postgres:// 开头，例如 postgres://用户@主机/库名"
                    .into(),
            ));
        }
        let migrate_url = migrate_url(
            env("MINGJIAN_DATABASE_MIGRATE_URL").or(file.database.migrate_url),
            &database_url,
        )?;
        let port = match env("MINGJIAN_SERVER_PORT") {
            Some(text) => text.parse().map_err(|_| {
                Error::Config(format!("MINGJIAN_SERVER_PORT={text} 不是 1–65535 的端口号"))
            })?,
            None => file.server.port.unwrap_or(8600),
        };
        let address = env("MINGJIAN_SERVER_ADDRESS").or(file.server.address).unwrap_or("::".into());
        let address = address.parse().map_err(|_| {
            Error::Config(format!("server.address={address} 不是 IP 地址；监听全部地址请写 \"::\""))
        })?;
        let area = env("MINGJIAN_NODE_AREA").or(file.node.area).unwrap_or("000000".into());
        if area.len() != 6 || !area.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Error::Config(format!(
                "node.area={area} 应为 6 位行政区划代码，如 370400"
            )));
        }
        let second_factor = env("MINGJIAN_ACCESS_SECOND_FACTOR")
            .or(file.access.second_factor)
            .unwrap_or("administrators".into());
        if !["optional", "administrators", "everybody"].contains(&second_factor.as_str()) {
            return Err(Error::Config(format!(
                "access.second_factor={second_factor} 应为 optional（自愿）、administrators（管理员必须）或 everybody（人人必须）"
            )));
        }
        let password_profile = env("MINGJIAN_ACCESS_PASSWORD_PROFILE")
            .or(file.access.password_profile)
            .unwrap_or("default".into());
        if !["default", "mlps", "asvs"].contains(&password_profile.as_str()) {
            return Err(Error::Config(format!(
                "access.password_profile={password_profile} 应为 default（平台默认）、mlps（等保）或 asvs"
            )));
        }
        let password_hash = env("MINGJIAN_ACCESS_PASSWORD_HASH")
            .or(file.access.password_hash)
            .unwrap_or("argon2id".into());
        if !["argon2id", "pbkdf2-sm3"].contains(&password_hash.as_str()) {
            return Err(Error::Config(format!(
                "access.password_hash={password_hash} 应为 argon2id 或 pbkdf2-sm3（国密）"
            )));
        }
        let networks = |name: &str, key: &str, said: Vec<String>| match env(name) {
            Some(text) => {
                let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
                Networks::parse(name, &parts.collect::<Vec<_>>())
            }
            None => Networks::parse(key, &said),
        };
        let admin_networks = networks(
            "MINGJIAN_ACCESS_ADMIN_NETWORKS",
            "access.admin_networks",
            file.access.admin_networks,
        )?;
        let sessions_at_once = sessions_at_once(
            env("MINGJIAN_ACCESS_SESSIONS_AT_ONCE"),
            file.access.sessions_at_once,
        )?;
        let trusted_proxies = networks(
            "MINGJIAN_SERVER_TRUSTED_PROXIES",
            "server.trusted_proxies",
            file.server.trusted_proxies,
        )?;
        let production = match env("MINGJIAN_NODE_PRODUCTION").as_deref() {
            Some("true" | "1") => true,
            Some("false" | "0") => false,
            Some(other) => {
                return Err(Error::Config(format!(
                    "MINGJIAN_NODE_PRODUCTION={other} 应为 true 或 false"
                )));
            }
            None => file.node.production.unwrap_or(false),
        };
        let verify_minutes = match env("MINGJIAN_LEDGER_VERIFY_MINUTES") {
            Some(text) => text.parse().map_err(|_| {
                Error::Config(format!("MINGJIAN_LEDGER_VERIFY_MINUTES={text} 不是分钟数"))
            })?,
            None => file.ledger.verify_minutes.unwrap_or(10),
        };
        let volume = env("MINGJIAN_LEDGER_VOLUME").or(file.ledger.volume.clone());
        let yearly = match volume.as_deref() {
            None | Some("year") => true,
            Some("never") => false,
            Some(other) => {
                return Err(Error::Config(format!(
                    "ledger.volume={other} 应为 year（每年一册）或 never（不分册）"
                )));
            }
        };
        let number = |name: &str, said: Option<u32>, unless: u32| match env(name) {
            Some(text) => {
                text.parse().map_err(|_| Error::Config(format!("{name}={text} 不是数字")))
            }
            None => Ok(said.unwrap_or(unless)),
        };
        let backup = file.backup;
        let path = |name: &str, said| env(name).map(PathBuf::from).or(said);
        let backups = Backups {
            folder: path("MINGJIAN_BACKUP_FOLDER", backup.folder),
            every_minutes: number("MINGJIAN_BACKUP_EVERY_MINUTES", backup.every_minutes, 1)?,
            keep_days: number("MINGJIAN_BACKUP_KEEP_DAYS", backup.keep_days, 35)?,
            wal_folder: path("MINGJIAN_BACKUP_WAL_FOLDER", backup.wal_folder),
        };
        let witness = WitnessSettings::of(file.ledger, &env)?;
        Ok(Self {
            backups,
            production,
            verify_minutes,
            yearly,
            witness,
            data_dir: data_dir.to_owned(),
            database_url: SecretUrl(database_url),
            migrate_url,
            port,
            address,
            trusted_proxies,
            node_name: env("MINGJIAN_NODE_NAME")
                .or(file.node.name)
                .unwrap_or(Self::DEFAULT_NAME.into()),
            area,
            second_factor,
            password_profile,
            password_hash,
            admin_networks,
            sessions_at_once,
            portal: file.portal,
        })
    }
}

/// More would be no limit; none would let nobody in.
const SESSIONS_AT_MOST: u32 = 1_000;

fn sessions_at_once(env: Option<String>, said: Option<u32>) -> Result<Option<u32>> {
    let wrong = |what: &str| {
        Error::Config(format!(
            "access.sessions_at_once={what} 应为 1 到 {SESSIONS_AT_MOST} 的整数：一个账号同时至多几处登录，网页、手机各自计算"
        ))
    };
    let number = match env {
        Some(text) => Some(text.trim().parse::<u32>().map_err(|_| wrong(&text))?),
        None => said,
    };
    match number {
        Some(number) if !(1..=SESSIONS_AT_MOST).contains(&number) => {
            Err(wrong(&number.to_string()))
        }
        number => Ok(number),
    }
}

fn migrate_url(said: Option<String>, database_url: &str) -> Result<Option<SecretUrl>> {
    let Some(url) = said else { return Ok(None) };
    if database_url.starts_with("sqlite:") {
        return Err(Error::Config(
            "database.migrate_url 只用于 PostgreSQL，而 database.url 是 SQLite：请去掉 migrate_url"
                .into(),
        ));
    }
    if !["postgres:", "postgresql:"].iter().any(|kind| url.starts_with(kind)) {
        return Err(Error::Config(
            "database.migrate_url 应以 postgres:// 开头，例如 postgres://用户@主机/库名".into(),
        ));
    }
    Ok(Some(SecretUrl(url)))
}

/// The line that a byte stands in, as the person who wrote the file finds it.
fn place(text: &str, byte: usize) -> String {
    let before = text.get(..byte).unwrap_or(text);
    let number = before.matches('\n').count();
    let line = text.lines().nth(number).unwrap_or_default();
    format!("第{}行“{}”", number + 1, line.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str, env: &[(&str, &str)]) -> Result<Config> {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("mingjian.toml"), text).expect("written");
        let env: Vec<(String, String)> =
            env.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
        Config::load_with(folder.path(), |name| {
            env.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone())
        })
    }

    #[test]
    fn the_environment_wins_over_the_file() {
        let config = load("[server]\nport = 1234", &[("MINGJIAN_SERVER_PORT", "4321")]);
        assert_eq!(config.expect("valid").port, 4321);
    }

    #[test]
    fn an_unknown_key_or_a_wrong_value_is_said_at_start() {
        for text in ["[serve]\nport = 1", "[server]\nport = 99999", "[node]\narea = \"枣庄\""] {
            assert!(matches!(load(text, &[]), Err(Error::Config(_))), "{text}");
        }
        assert!(load("[database]\nurl = \"mysql://x\"", &[]).is_err());
        for text in [
            "[ledger]\nwitness_seconds = 0",
            "[[ledger.witnesses]]\nurl = \"http://a\"\nkey = \"x\"",
            "[[ledger.witness_for]]\norigin = \"a\"\nkey = \"a+b+c\"",
        ] {
            assert!(matches!(load(text, &[]), Err(Error::Config(_))), "{text}");
        }
        let said =
            load("[node]\n\n[server]\nport = 99999\n", &[]).expect_err("no such port").to_string();
        assert!(said.contains("第4行“port = 99999”"), "{said}");
    }

    #[test]
    fn networks_are_read_from_the_file_or_the_environment_and_a_wrong_one_stops_the_start() {
        let at = |text: &str| text.parse().expect("an address");
        let file = "[access]\nadmin_networks = [\"10.20.0.0/16\", \"240e:1::/32\"]\n\
                    [server]\ntrusted_proxies = [\"127.0.0.1\"]\n";
        let config = load(file, &[]).expect("valid");
        assert!(config.admin_networks.contains(at("10.20.1.1")));
        assert!(config.admin_networks.contains(at("240e:1:9::1")));
        assert!(!config.admin_networks.contains(at("127.0.0.1")));
        assert!(config.trusted_proxies.contains(at("127.0.0.1")));
        let env = [("MINGJIAN_ACCESS_ADMIN_NETWORKS", "192.168.1.0/24, ::1")];
        let config = load(file, &env).expect("valid");
        assert!(config.admin_networks.contains(at("::1")));
        assert!(!config.admin_networks.contains(at("10.20.1.1")), "the environment wins");
        let none = load(file, &[("MINGJIAN_ACCESS_ADMIN_NETWORKS", "")]).expect("valid");
        assert!(none.admin_networks.is_empty());
        assert!(load("", &[]).expect("valid").admin_networks.is_empty());
        for (key, text) in [
            ("access.admin_networks", "[access]\nadmin_networks = [\"10.20.0.0/40\"]"),
            ("server.trusted_proxies", "[server]\ntrusted_proxies = [\"nginx\"]"),
        ] {
            let said = load(text, &[]).expect_err(text);
            assert!(matches!(said, Error::Config(_)), "{said}");
            assert!(said.to_string().contains(key), "{said}");
        }
    }

    #[test]
    fn how_often_one_account_may_be_signed_in_is_a_number_of_at_least_one() {
        let env = |text| [("MINGJIAN_ACCESS_SESSIONS_AT_ONCE", text)];
        assert_eq!(load("", &[]).expect("valid").sessions_at_once, None);
        let file = "[access]\nsessions_at_once = 3\n";
        assert_eq!(load(file, &[]).expect("valid").sessions_at_once, Some(3));
        assert_eq!(load(file, &env("2")).expect("valid").sessions_at_once, Some(2));
        for (file, env) in [
            ("[access]\nsessions_at_once = 0\n", &[] as &[_]),
            ("[access]\nsessions_at_once = 1001\n", &[]),
            ("[access]\nsessions_at_once = -1\n", &[]),
            ("", &env("0")),
            ("", &env("many")),
        ] {
            let said = load(file, env).expect_err(file).to_string();
            assert!(said.contains("sessions_at_once"), "{said}");
        }
    }

    #[test]
    fn a_role_for_migrating_is_for_postgresql_and_its_password_is_not_shown() {
        const URL: &str = "[database]\nurl = \"postgres://mj:streng@h/db\"\n";
        let of = |url: &str| ("MINGJIAN_DATABASE_MIGRATE_URL", url.to_owned());
        let (name, secret) = of("postgres://owner:geheim@h/db");
        let config = load(URL, &[(name, &secret)]).expect("valid");
        assert_eq!(config.migrate_url.as_ref().map(SecretUrl::reveal), Some(&*secret));
        let shown = format!("{config:?}");
        assert!(!shown.contains("geheim") && !shown.contains("streng"), "{shown}");
        let written = format!("{URL}migrate_url = \"{secret}\"");
        assert_eq!(load(&written, &[]).expect("valid").migrate_url, config.migrate_url);
        assert_eq!(load(URL, &[]).expect("valid").migrate_url, None);
        for (text, url, word) in
            [("", &*secret, "SQLite"), (URL, "sqlite:/a", "postgres://"), (URL, "", "postgres://")]
        {
            let said = load(text, &[(name, url)]).expect_err(url).to_string();
            assert!(said.contains("database.migrate_url") && said.contains(word), "{said}");
            assert!(!said.contains("geheim"), "{said}");
        }
    }
}
