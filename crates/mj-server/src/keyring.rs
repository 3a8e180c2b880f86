//! `mingjian keys`: another master key, another key of a class, the backup key for elsewhere, and the
//! end of one person's key. All of it with the node stopped, for a running one holds keys in memory.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use mj_datahub::{Datahub, forget};
use mj_kernel::Actor;
use mj_platform::archive::persons::PersonKeys;
use mj_platform::archive::{Archive, read_key_file};
use mj_platform::blob::Blobs;
use mj_platform::gm::vault::{KeyClass, Vault};
use mj_platform::keys::{self, Keys, persons};
use mj_platform::ledger::{self, LogReader, outside};
use mj_platform::{Act, Config, Db, Lane, SystemClock, WriteTx};

use crate::backup::persons::{Struck, strike};
use crate::cli::{Failure, Outcome};
use crate::ledger::command::{asked, seal, vouched};
use crate::modules::Domains;
use crate::node::Floor;

/// A stopped node's directory, locked, with its database.
struct Stopped {
    config: Config,
    db: Db,
    _lock: File,
}

impl Stopped {
    async fn open(data_dir: &Path) -> Result<Self, Failure> {
        if !data_dir.join("keys").join(keys::MASTER).exists() {
            return Err(Failure::Usage(format!("{} 中没有密钥", data_dir.display())));
        }
        let lock = crate::node::lock(data_dir)?
            .ok_or_else(|| Failure::Usage("请先停止正在运行的明鉴进程，再处理密钥".into()))?;
        let config = Config::load(data_dir)?;
        let db = Db::open(config.database_url.reveal(), Arc::new(SystemClock)).await?;
        db.use_vault(crate::node::vault_of(&config)?);
        db.hold(outside::suspicion(&LogReader::new(data_dir.join("log")))?.is_some());
        Ok(Self { config, db, _lock: lock })
    }

    fn vault(&self) -> Result<Vault, Failure> {
        Ok(Vault::beside_master(&self.config.data_dir.join("keys"), self.config.production)?)
    }

    /// The act on record; who stands at the machine is not known to the program.
    async fn told(&self, action: &'static str, object: &str) -> Result<(), Failure> {
        let act = Act::new(&Actor::system("keys"), action, object);
        let mut tx = self.db.begin(Lane::People, act).await?;
        tx.note().await?;
        Ok(tx.commit().await?)
    }
}

pub async fn rotate_master(data_dir: &Path) -> Result<Outcome, Failure> {
    let node = Stopped::open(data_dir).await?;
    let folder = data_dir.join("keys");
    let done = keys::rotate_master(&folder, &node.db, node.config.production).await;
    let sealed = if done.is_ok() { seal(&node.config, &node.db).await } else { Ok(()) };
    node.db.close().await;
    let done = done?;
    sealed?;
    if done.resumed {
        eprintln!("接着完成了上次中断的更换");
    }
    println!("主密钥已更换\t重新包装 {} 把个人密钥", done.rewrapped);
    eprintln!("旧主密钥已不在本机。此前备份里的旧密钥随那些备份一起过期；请现在再做一次备份。");
    Ok(Outcome::Clean)
}

pub async fn rotate(data_dir: &Path, class: &str) -> Result<Outcome, Failure> {
    let class = KeyClass::ALL.into_iter().find(|one| one.name() == class).ok_or_else(|| {
        let names: Vec<&str> = KeyClass::ALL.iter().map(|one| one.name()).collect();
        Failure::Usage(format!("没有 {class} 这类密钥；可选 {}", names.join("、")))
    })?;
    let node = Stopped::open(data_dir).await?;
    let outcome = rotate_class(&node, class).await;
    node.db.close().await;
    outcome
}

async fn rotate_class(node: &Stopped, class: KeyClass) -> Result<Outcome, Failure> {
    let vault = node.vault()?;
    if class == KeyClass::Log {
        let Config { data_dir, area, .. } = &node.config;
        let key = ledger::rekey(&data_dir.join("log"), &node.db, Arc::new(vault), area).await?;
        println!("log 密钥已更换\t{}", key.to_text());
        eprintln!("旧公钥留在 log/keys，以前保存的检查点和凭证照旧可验；请把新公钥告诉见证方。");
        return Ok(Outcome::Clean);
    }
    if !vault.has(class) {
        return Err(Failure::Usage(format!("{} 类密钥还没有启用，不需要更换", class.name())));
    }
    let object = format!("key:{}", class.name());
    // told first: a key that is new must not be new in secret
    node.told("keys.class.rotate", &object).await?;
    seal(&node.config, &node.db).await?;
    if !class.signs() {
        vault.rotate_secret(class)?;
        if class == KeyClass::Personal {
            let folder = node.config.data_dir.join("keys");
            persons::settle(&folder, &node.db, node.config.production).await?;
            println!("personal 密钥已更换\t个人密钥已全部改用新密钥包装，旧密钥已销毁");
            return Ok(Outcome::Clean);
        }
        println!("{} 密钥已更换\t旧密钥留作读取以前的内容", class.name());
        if class == KeyClass::Backup {
            eprintln!("请重新执行 mingjian keys export-backup，旧的备份密钥文件读不出以后的备份。");
        }
        return Ok(Outcome::Clean);
    }
    vault.next_pair(class)?;
    vault.promote(class)?;
    println!("{} 密钥已更换", class.name());
    Ok(Outcome::Clean)
}

/// Destroys the key of the person whose number is on standard input: an argument would stand in the
/// list of processes.
pub async fn erase(data_dir: &Path, reason: &str, by: Option<&str>) -> Result<Outcome, Failure> {
    let code = asked("公民身份号码").map_err(Failure::broken)?;
    let code = mj_kernel::code::CitizenId::parse(code.trim())
        .map_err(|_| Failure::Usage("标准输入应为一个公民身份号码".into()))?;
    if reason.trim().is_empty() {
        return Err(Failure::Usage("请用 --reason 写明依据".into()));
    }
    let node = Stopped::open(data_dir).await?;
    let outcome = erase_from(&node, code.as_str(), reason, by).await;
    node.db.close().await;
    outcome
}

async fn erase_from(
    node: &Stopped,
    code: &str,
    reason: &str,
    by: Option<&str>,
) -> Result<Outcome, Failure> {
    let folder = node.config.data_dir.join("keys");
    let keys = Keys::open(&folder, node.config.production)?;
    let who = match by {
        Some(login) => vouched(&node.config, &node.db, &keys, login).await?,
        None => Actor::system("keys"),
    };
    let subject = keys.lookup("citizen_id", code);
    let sql = "SELECT COUNT(*) FROM data_key WHERE subject = $1";
    let has_key = node.db.count(sql, &[subject.as_str().into()]).await? > 0;
    let hub = datahub_of(node, keys).await?;
    let waiting = forget::under_way(&hub).await.map_err(Failure::broken)?;
    if waiting > 0 {
        return Err(Failure::Usage(format!(
            "还有 {waiting} 个批次没有处理完：请先启动节点，待它们办结后停止，再执行"
        )));
    }
    let seen = |at: usize, of: usize| {
        if at.is_multiple_of(1_000) {
            eprintln!("已查阅 {at}/{of} 份原始文件");
        }
    };
    let said = forget::naming(&hub, code, seen).await.map_err(Failure::broken)?;
    let found = said.naming;
    if !has_key && found.is_empty() {
        println!("没有此人的密钥，也没有含此人的原始文件");
        return Ok(Outcome::Findings);
    }
    let act = Act::new(&who, "keys.person.destroy", "person").because(reason);
    let besides = async |keys: &Keys, tx: &mut WriteTx| {
        let doomed = forget::forget(&hub, keys, tx, &found, code).await;
        doomed.map_err(|error| mj_platform::Error::Other(error.to_string()))
    };
    let production = node.config.production;
    persons::destroy(&folder, &node.db, production, act, &subject, besides).await?;
    seal(&node.config, &node.db).await?;
    let files = forget::sweep(&hub).await.map_err(Failure::broken)?;
    println!("此人的密钥已销毁");
    println!("含此人的原始文件\t{} 份批次\t{files} 个文件已删除", found.len());
    if said.unreadable > 0 {
        eprintln!("有 {} 份原始文件读不出，未能查阅：请执行 mingjian doctor", said.unreadable);
    }
    match strike(&node.config, &node.db).await? {
        Struck::Gone(count) => println!("备份中销毁的个人密钥\t{count}"),
        Struck::NoArchive => eprintln!(
            "配置中没有备份存放处：下一次备份时从那里的密钥清单中一并销毁，请尽快做一次备份。"
        ),
        Struck::Busy => eprintln!("正在备份：下一次备份时从密钥清单中一并销毁。"),
    }
    eprintln!("另外复制出去的备份不在此列：请同步或销毁它们。");
    Ok(Outcome::Clean)
}

/// What of the data centre is needed to look through deliveries.
async fn datahub_of(node: &Stopped, keys: Keys) -> Result<Datahub, Failure> {
    let (config, db) = (node.config.clone(), node.db.clone());
    let vault = crate::node::vault_of(&config)?;
    let blobs = Blobs::open(config.data_dir.join("blobs"), keys.clone())?;
    let floor = Floor { config, db, keys, vault, blobs, demo: false };
    Ok(Domains::open(&floor).await?.datahub)
}

/// Keys of persons from an archive, where the key they lie under is gone or the database was put back by
/// other means than `restore`.
pub async fn recover(data_dir: &Path, from: &Path, key: &Path) -> Result<Outcome, Failure> {
    let archive = Archive::at(from, &read_key_file(key)?)?;
    let (keys, erased) = (archive.persons()?, archive.erased()?);
    let erased: Vec<String> = erased.into_iter().map(|it| it.id).collect();
    let node = Stopped::open(data_dir).await?;
    let outcome = recover_into(&node, &keys, &erased).await;
    node.db.close().await;
    outcome
}

async fn recover_into(
    node: &Stopped,
    keys: &PersonKeys,
    erased: &[String],
) -> Result<Outcome, Failure> {
    let (folder, production) = (node.config.data_dir.join("keys"), node.config.production);
    persons::hand_over(&folder, keys)?;
    let keys = Keys::open(&folder, production)?;
    let act = Act::new(&Actor::system("keys"), "keys.person.destroy", "node:own");
    let taken = keys.take_over(&folder, &node.db, act, erased).await?;
    println!("个人密钥\t{} 把可用\t{} 把缺失", taken.open, taken.missing);
    println!("再次销毁的个人密钥\t{}", taken.destroyed);
    node.told("keys.person.recover", "node:own").await?;
    seal(&node.config, &node.db).await?;
    persons::handed_over(&folder, production)?;
    Ok(if taken.missing == 0 { Outcome::Clean } else { Outcome::Findings })
}
