//! Keys: there, private, and the ones this data was sealed with.

use std::path::Path;
use std::sync::Arc;

use mj_platform::gm::vault::Vault;
use mj_platform::keys::Keys;
use mj_platform::{Config, Db, RowExt};

use super::Findings;
use crate::cli::Failure;
use crate::standing;

/// What can be seen from outside; false when the keys cannot be opened.
pub fn examine_files(config: &Config, findings: &mut Findings) -> bool {
    let folder = config.data_dir.join("keys");
    let master = folder.join("master.key");
    if !master.exists() {
        let sqlite = config.database_url.reveal().starts_with("sqlite:");
        let database =
            sqlite && Path::new(standing::sqlite_path(config.database_url.reveal())).exists();
        if database || ["blobs", "segments"].iter().any(|name| holds_files(&config.data_dir, name))
        {
            findings.wrong(
                "keys/master.key",
                "主密钥不见了，加密的文件和个人信息都无法读出",
                "从备份恢复 keys/ 目录；在此之前不要启动节点，以免生成新的主密钥",
            );
            return false;
        }
        return true;
    }
    if mj_platform::keys::is_rotating(&folder) {
        findings.beware(
            "keys/master.next",
            "主密钥的更换没有做完",
            "停止节点，再执行一次 mingjian keys rotate-master",
        );
    }
    if mj_platform::keys::persons::is_lost(&folder) {
        findings.wrong(
            "keys/personal.key",
            "包装个人密钥的密钥不见了，个人信息无法读出",
            "执行 mingjian keys recover --from 备份 --key 备份密钥文件：备份里只有个人密钥的清单，没有这个文件",
        );
        return false;
    }
    if mj_platform::keys::persons::is_unfinished(&folder)
        && !mj_platform::keys::is_rotating(&folder)
    {
        findings.beware(
            "keys/personal.1.key",
            "销毁个人密钥或更换 personal 密钥没有做完",
            "启动一次节点即可接着完成",
        );
    }
    let mut may_open = true;
    for file in [master, config.data_dir.join("demo-accounts.json")] {
        if let Some(mode) = open_to_others(&file) {
            findings.beware(
                &file.display().to_string(),
                &format!("他人可读（权限 {mode:o}）"),
                &format!("执行 chmod 600 {}", file.display()),
            );
            may_open &= !file.ends_with("master.key");
        }
    }
    let settings = config.data_dir.join("mingjian.toml");
    let tells = std::fs::read_to_string(&settings).is_ok_and(|text| has_password(&text));
    if let (true, Some(mode)) = (tells, open_to_others(&settings)) {
        findings.beware(
            "mingjian.toml",
            &format!("含数据库口令，却对他人可读（权限 {mode:o}）"),
            "执行 chmod 600 mingjian.toml，或改用环境变量 MINGJIAN_DATABASE_URL",
        );
    }
    if may_open && let Some(refused) = refused(&folder, config.production) {
        // what only production refuses can be read all the same
        may_open = self::refused(&folder, false).is_none();
        let mend = match may_open {
            true => "在新的数据目录里启用正式节点",
            false => "从同一时间的备份恢复 keys/ 目录",
        };
        findings.wrong("keys/", &refused, mend);
    }
    may_open
}

/// Why the keys do not open: another node's, or ones that production refuses.
fn refused(folder: &Path, production: bool) -> Option<String> {
    match Keys::open(folder, production) {
        Err(error @ mj_platform::Error::Key(_)) => {
            Some(error.to_string().trim_start_matches("密钥有误：").to_owned())
        }
        _ => None,
    }
}

/// `postgres://user:password@host`
fn has_password(text: &str) -> bool {
    text.split("://").skip(1).any(|rest| {
        let authority = rest.split(['/', '"']).next().unwrap_or_default();
        authority.rsplit_once('@').is_some_and(|(user, _)| user.contains(':'))
    })
}

fn holds_files(data_dir: &Path, folder: &str) -> bool {
    std::fs::read_dir(data_dir.join(folder)).is_ok_and(|mut entries| entries.next().is_some())
}

/// The mode of a file that others may read.
fn open_to_others(path: &Path) -> Option<u32> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(path).ok()?.permissions().mode() & 0o777;
        (mode & 0o077 != 0).then_some(mode)
    }
    #[cfg(not(unix))]
    None
}

/// The keys of persons and one of a file: do they open with what lies in `keys/`?
pub async fn examine(keys: &Keys, db: &Db, findings: &mut Findings) -> Result<(), Failure> {
    let closed = keys.closed(db).await?;
    if closed > 0 {
        findings.wrong(
            "data_key",
            &format!("{closed} 把个人密钥用现在的密钥打不开：keys/ 不是这份数据的密钥"),
            "数据库若不是用 mingjian restore 恢复的，执行 mingjian keys recover；\
             否则从同一时间的备份恢复 keys/ 目录",
        );
    }
    let sql = "SELECT id, wrapped_key AS wrapped FROM blob ORDER BY id LIMIT 1";
    if let Some(row) = db.fetch_optional(sql, &[]).await?
        && mj_platform::keys::sealed_text(&row.bytes("wrapped")?).is_none()
        && !row.bytes("wrapped")?.is_empty()
        && keys.unwrap_key(&row.bytes("wrapped")?, &row.text("id")?).is_err()
    {
        findings.wrong(
            "blob",
            "用现在的主密钥打不开：keys/ 不是这份数据的密钥",
            "从同一时间的备份恢复 keys/ 目录",
        );
    }
    Ok(())
}

/// The keys over password hashes: without them nobody can sign in.
pub async fn passwords(config: &Config, db: &Db, findings: &mut Findings) -> Result<(), Failure> {
    let vault = Vault::beside_master(&config.data_dir.join("keys"), config.production)?;
    let vault = Arc::new(vault);
    let seen = match mj_access::password_keys(db, vault.clone()).await {
        // there, but another node's, or one that production refuses
        Err(mj_access::Error::Platform(error @ mj_platform::Error::Key(_))) => {
            let mend = "从同一时间的备份恢复 keys/ 目录";
            findings.wrong("keys/password.key", &error.to_string(), mend);
            return Ok(());
        }
        seen => seen.map_err(Failure::broken)?,
    };
    if seen.lost > 0 {
        findings.wrong(
            "keys/password.key",
            &format!("{} 个密码散列所用的密钥不见了，这些密码无从核对，持有人不能登录", seen.lost),
            "从备份恢复 keys/ 目录（password.key 以及 password.1.key 等旧密钥）；\
             确实找不回时由管理员重新发放启用码",
        );
    }
    let sealed = match mj_access::seal::all_sealed(&vault) {
        Err(error) => {
            let mend = "从同一时间的备份恢复 keys/ 目录";
            findings.wrong("keys/sealed.key", &error.to_string(), mend);
            return Ok(());
        }
        Ok(sealed) => sealed,
    };
    if crate::node::seals_note_is_lost(&vault)? {
        let mend = "从备份恢复 keys/ 目录；找回之前节点不启动";
        findings.wrong("keys/sealed.key", "不见了，分不清哪些凭据是本节点发出的", mend);
    }
    if sealed {
        seals(&vault, db, findings).await?;
    }
    if seen.bare > 0 && !sealed {
        findings.beware(
            "credential",
            &format!("{} 个密码散列还没有加上密钥（旧版本存下的）", seen.bare),
            "重新启动节点，启动时自动加上，密码照旧可用",
        );
    }
    Ok(())
}

/// What lets somebody in and bears no seal of this node's.
async fn seals(vault: &Vault, db: &Db, findings: &mut Findings) -> Result<(), Failure> {
    let seen = match mj_access::seal::seals(db, vault).await {
        // there, but another node's, or one that production refuses
        Err(mj_access::Error::Platform(error @ mj_platform::Error::Key(_))) => {
            let mend = "从同一时间的备份恢复 keys/ 目录";
            findings.wrong("keys/session.key", &error.to_string(), mend);
            return Ok(());
        }
        seen => seen.map_err(Failure::broken)?,
    };
    if seen.lost > 0 {
        findings.wrong(
            "keys/session.key",
            &format!(
                "{} 条密码、会话、代码或令牌的封印所用的密钥不见了，这些凭据都不再接受",
                seen.lost
            ),
            "从备份恢复 keys/ 目录（session.key、password.key 以及其旧密钥）；\
             确实找不回时重新发放启用码、恢复码和来源令牌",
        );
    }
    for (table, count) in seen.wrong {
        findings.wrong(
            table,
            &format!("{count} 条没有本节点的封印，不予接受：可能是绕过系统直接写入数据库的"),
            "请查明何人能写数据库，并用 mingjian verify 核对；确属本人的，重新发放代码或令牌",
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::has_password;

    #[test]
    fn a_password_in_the_settings_is_seen() {
        assert!(has_password("url = \"postgres://mj:secret@db/mj\""));
        assert!(!has_password("url = \"postgres://mj@db:5432/mj\""));
        assert!(!has_password("[server]\naddress = \"::\""));
    }
}
