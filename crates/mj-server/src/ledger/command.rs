//! `mingjian log …`: what is decided about the log itself, by whoever stands at the machine: public keys,
//! the record of a fork, starting anew as a witness, erasing a payload. Each but the first is an entry,
//! and is answered when that is signed.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, Subcommand};
use mj_access::{Access, PasswordHashing, PasswordProfile, SecondFactorPolicy};
use mj_kernel::Actor;
use mj_platform::gm::vault::Vault;
use mj_platform::keys::Keys;
use mj_platform::ledger::erase::{self, Erased};
use mj_platform::ledger::verify::Wanted;
use mj_platform::ledger::witness::{self, Witness};
use mj_platform::ledger::{self as log, LogReader, outside};
use mj_platform::{Config, Db};

use crate::cli::{At, Failure, Outcome};
use crate::node::{self, Floor, Node};

/// How long a running node may take to sign what this process wrote.
const SIGNED_WITHIN: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(200);

#[derive(Subcommand)]
pub enum Log {
    /// 打印日志公钥和见证公钥，供其他节点登记
    Keys {
        #[command(flatten)]
        at: At,
    },
    /// 疑似被退回到旧的备份时：登记分叉，从现在的状态继续办理
    Fork {
        #[command(flatten)]
        order: Order,
    },
    /// 监管日志损坏、又没有副本可修时：封存损坏的一册，启用新册（须先停止节点）
    Freeze {
        #[command(flatten)]
        order: Order,
    },
    /// 监管日志损坏时：用备份或副本修复，只接受与已签署的根相符的内容（须先停止节点）
    Repair {
        /// 副本的数据目录，或其中的 log 目录
        #[arg(long)]
        from: PathBuf,
        #[command(flatten)]
        at: At,
    },
    /// 作为见证方：对方已登记分叉，重新开始见证它的日志
    ResetWitnessed {
        /// 日志的名称，即检查点的第一行
        origin: String,
        #[command(flatten)]
        order: Order,
    },
    /// 依法删除一条日志的办理人、对象和原因；条目和它的位置保留
    Erase {
        /// 条目的序号
        seq: u64,
        #[command(flatten)]
        order: Order,
    },
}

#[derive(Subcommand)]
pub enum Emergency {
    /// 封存一个新的应急启用码：分成两份，各给一位保管人，只显示这一次；原来的随即作废
    Seal {
        /// 第一位保管人的姓名
        #[arg(long)]
        first_holder: String,
        /// 第二位保管人的姓名，须是另一个人
        #[arg(long)]
        second_holder: String,
        /// 谁批准的，依据什么
        #[arg(long)]
        reason: String,
        /// 盖封的安全管理员的登录名；密码和动态口令从标准输入给出
        #[arg(long)]
        by: String,
        #[command(flatten)]
        at: At,
    },
}

#[derive(Subcommand)]
pub enum Enrolment {
    /// 首次启动时打印的一次性启用码丢了：给还没有启用账号的管理员另发一个，原来的作废
    Reissue {
        /// 系统管理员、安全管理员或审计管理员
        role: String,
        #[command(flatten)]
        order: Order,
    },
}

/// What is ordered takes a reason, and names whoever orders it.
#[derive(Args)]
pub struct Order {
    /// 谁批准的，依据什么
    #[arg(long)]
    reason: String,
    /// 下达命令的安全管理员的登录名；密码和动态口令从标准输入给出
    #[arg(long)]
    by: Option<String>,
    #[command(flatten)]
    at: At,
}

/// An order that may be carried out.
struct Ordered {
    place: Place,
    who: Actor,
    reason: String,
}

impl Order {
    async fn begin(&self) -> Result<Ordered, Failure> {
        let reason = self.reason.trim().to_owned();
        if reason.is_empty() {
            return Err(Failure::Usage("--reason 要写明谁批准、依据什么".into()));
        }
        let (place, who) = Place::open(&self.at.data_dir, self.by.as_deref()).await?;
        Ok(Ordered { place, who, reason })
    }
}

pub async fn run(what: Log) -> Result<Outcome, Failure> {
    match what {
        Log::Keys { at } => keys(&at.data_dir).await,
        Log::Fork { order } => {
            let data_dir = &order.at.data_dir;
            let Ordered { place: at, who, reason } = order.begin().await?;
            let folder = data_dir.join("log");
            let found = outside::fork(&at.floor.db, &who, &folder, &reason).await?;
            let Some(found) = found else {
                at.close().await;
                return Err(Failure::Usage("没有疑似退回旧备份的情况，不需要登记分叉".into()));
            };
            at.settle(data_dir).await?;
            println!("分叉\t{}\t{}\t{}", found.witness, found.seen_size, found.own_size);
            eprintln!(
                "已登记；节点恢复办理。请见证方执行 mingjian log reset-witnessed，此前见证一直缺失"
            );
            Ok(Outcome::Clean)
        }
        Log::Freeze { order } => {
            let data_dir = &order.at.data_dir;
            let Ordered { place: at, who, reason } = order.begin().await?;
            if at.lock.is_none() {
                at.close().await;
                return Err(Failure::Usage("请先停止节点，再封存损坏的一册".into()));
            }
            let wanted = Wanted { added: super::added_columns(), ..Wanted::default() };
            let folder = data_dir.join("log");
            let frozen = log::freeze(&at.floor.db, &folder, &who, &reason, &wanted).await;
            let frozen = match frozen {
                Ok(Some(frozen)) => frozen,
                Ok(None) => {
                    at.close().await;
                    return Err(Failure::Usage("当前一册完好，不需要封存".into()));
                }
                Err(error) => {
                    at.close().await;
                    return Err(error.into());
                }
            };
            at.settle(data_dir).await?;
            let damage = &frozen.damage;
            println!(
                "封存\t第 {} 册\t可证明到 {} 条\t无法证明 {} 条\t其中不可读 {} 条\t{} 行不同",
                frozen.volume, frozen.proved, damage.entries, damage.lost, damage.rows
            );
            for row in &frozen.rows {
                println!("{row}");
            }
            eprintln!(
                "已启用第 {} 册。损坏的文件原样留在 log/closed/{}，请勿删除；清单的摘要已写入日志，以后每次 verify 都会说明",
                frozen.volume + 1,
                frozen.volume
            );
            Ok(Outcome::Clean)
        }
        Log::Repair { from, at } => repair(&at.data_dir, &from),
        Log::ResetWitnessed { origin, order } => {
            let data_dir = &order.at.data_dir;
            let Ordered { place: at, who, reason } = order.begin().await?;
            let size = witness::reset(&at.floor.db, &who, &origin, &reason).await?;
            let Some(size) = size else {
                at.close().await;
                return Err(Failure::Usage(format!("本节点没有见证过 {origin}")));
            };
            at.settle(data_dir).await?;
            println!("重新见证\t{origin}\t{size}");
            Ok(Outcome::Clean)
        }
        Log::Erase { seq, order } => {
            let data_dir = &order.at.data_dir;
            let Ordered { place: at, who, reason } = order.begin().await?;
            let erased = erase::erase(&at.floor.db, &who, seq, &reason).await;
            match erased {
                Ok(Erased::Now) => {}
                Ok(Erased::Before) => {
                    at.close().await;
                    return Err(Failure::Usage(format!("第 {seq} 条的内容此前已经删除")));
                }
                Ok(Erased::Unknown) => {
                    at.close().await;
                    return Err(Failure::Usage(format!("没有第 {seq} 条日志")));
                }
                Err(error) => {
                    at.close().await;
                    return Err(error.into());
                }
            }
            at.settle(data_dir).await?;
            println!("已删除\t{seq}");
            Ok(Outcome::Clean)
        }
    }
}

/// The halves go to standard output, one line each; at a terminal one after the other, each for one pair of eyes.
pub async fn emergency(what: Emergency) -> Result<Outcome, Failure> {
    let Emergency::Seal { first_holder, second_holder, reason, by, at } = what;
    let order = Order { reason, by: Some(by), at };
    let data_dir = &order.at.data_dir;
    let Ordered { place, who, reason } = order.begin().await?;
    let Floor { config, db, keys, .. } = &place.floor;
    let access = access_of(config, db, keys)?;
    let holders = [first_holder.as_str(), second_holder.as_str()];
    let halves = match access.seal_emergency(&who, holders, &reason).await {
        Ok(halves) => halves,
        Err(error) => {
            place.close().await;
            return Err(match error {
                mj_access::Error::Platform(error) => error.into(),
                other => Failure::Usage(other.to_string()),
            });
        }
    };
    let signed = place.settle(data_dir).await;
    let alone = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    for (which, (holder, half)) in [("第一份", halves.first), ("第二份", halves.second)] {
        if alone {
            eprintln!("请 {holder} 一人到屏幕前，抄好后装入信封封好。按回车显示{which}。");
            asked_plainly()?;
        }
        println!("{which}\t{holder}\t{half}");
        if alone {
            eprintln!("抄好、核对后按回车，屏幕随即清除。");
            asked_plainly()?;
            // the screen and what was scrolled off it
            print!("\u{1b}[2J\u{1b}[3J\u{1b}[H");
        }
    }
    signed?;
    eprintln!(
        "已封存。两份分开保管，互不知道；启用时两位保管人在 /desk/emergency 各输入一份，只能用一次，两小时后失效。\
         原来的应急启用码已经作废。"
    );
    Ok(Outcome::Clean)
}

/// The code goes to standard output, for whoever stands at the machine.
pub async fn enrolment(what: Enrolment) -> Result<Outcome, Failure> {
    let Enrolment::Reissue { role, order } = what;
    let known = mj_access::ADMINISTRATORS.into_iter().find(|one| one.title() == role.trim());
    let Some(role) = known else {
        let titles = mj_access::ADMINISTRATORS.map(mj_kernel::Role::title).join("、");
        return Err(Failure::Usage(format!("没有“{role}”这种管理员，请写其中之一：{titles}")));
    };
    let data_dir = &order.at.data_dir;
    let Ordered { place, who, reason } = order.begin().await?;
    let made = mj_access::reissue_code(&place.floor.db, &who, role, &reason).await;
    let made = match made {
        Ok(made) => made,
        Err(error) => {
            place.close().await;
            return Err(match error {
                mj_access::Error::Platform(error) => error.into(),
                other => Failure::Usage(other.to_string()),
            });
        }
    };
    place.settle(data_dir).await?;
    println!("{}\t{}", made.role.title(), made.code);
    eprintln!("原来的代码已作废。请本人在 /desk/enrol 用这个代码启用账号，只能用一次。");
    Ok(Outcome::Clean)
}

fn asked_plainly() -> Result<(), Failure> {
    std::io::stdin().read_line(&mut String::new()).map(drop).map_err(Failure::broken)
}

fn repair(data_dir: &Path, from: &Path) -> Result<Outcome, Failure> {
    let folder = data_dir.join("log");
    if !folder.is_dir() {
        return Err(Failure::Usage(format!("{} 中没有监管日志", data_dir.display())));
    }
    let copy = if from.join("log").is_dir() { from.join("log") } else { from.to_owned() };
    if !copy.join("tile").is_dir() {
        return Err(Failure::Usage(format!("{} 中没有监管日志的副本", from.display())));
    }
    let Some(_lock) = node::lock(data_dir)? else {
        return Err(Failure::Usage("请先停止节点，再修复监管日志".into()));
    };
    let mended = log::repair(&folder, &copy)?;
    for number in &mended.beyond {
        println!("未修复\t第 {number} 册");
    }
    for file in &mended.files {
        println!("已替换\tlog/{file}");
    }
    if !mended.beyond.is_empty() {
        eprintln!(
            "用这份副本修复不了，没有改动任何文件；可换一份副本，确实没有时用 mingjian log freeze"
        );
        return Ok(Outcome::Findings);
    }
    if mended.files.is_empty() {
        eprintln!("监管日志完好，没有需要替换的文件");
    }
    Ok(Outcome::Clean)
}

async fn keys(data_dir: &Path) -> Result<Outcome, Failure> {
    let config = Config::load(data_dir)?;
    let folder = data_dir.join("log");
    if LogReader::new(&folder).text(log::KEY)?.is_none() {
        // a first start, so that both ends can be told of each other before either serves
        let node = Node::open(data_dir, None).await?;
        node.close().await;
    }
    let text = LogReader::new(&folder).text(log::KEY)?.unwrap_or_default();
    let vault = Vault::beside_master(&data_dir.join("keys"), config.production)?;
    let db = Db::open(config.database_url.reveal(), Arc::new(mj_platform::SystemClock)).await?;
    let witness = Witness::new(db.clone(), Arc::new(vault), &config.area, Vec::new());
    db.close().await;
    println!("log\t{}", text.trim());
    println!("witness\t{}", witness?.key().to_text());
    Ok(Outcome::Clean)
}

/// A data directory, whether or not a node is running in it.
struct Place {
    floor: Floor,
    lock: Option<std::fs::File>,
}

impl Place {
    /// With who it is that stands there.
    async fn open(data_dir: &Path, by: Option<&str>) -> Result<(Self, Actor), Failure> {
        if !data_dir.join("log").is_dir() {
            return Err(Failure::Usage(format!("{} 中没有监管日志", data_dir.display())));
        }
        let lock = node::lock(data_dir)?;
        let floor = Floor::open(Config::load(data_dir)?, lock.is_some()).await?;
        // a command is no way around what shut the node's own door
        let held = outside::suspicion(&LogReader::new(data_dir.join("log")))?.is_some();
        floor.db.hold(held);
        let who = match by {
            Some(login) => vouched(&floor.config, &floor.db, &floor.keys, login).await,
            None => Ok(Actor::system("command")),
        };
        let place = Self { floor, lock };
        match who {
            Ok(who) => Ok((place, who)),
            Err(error) => {
                place.close().await;
                Err(error)
            }
        }
    }

    async fn close(&self) {
        self.floor.db.close().await;
    }

    /// Until everything written is in a signed checkpoint.
    async fn settle(self, data_dir: &Path) -> Result<(), Failure> {
        let settled = match self.lock {
            Some(_) => node::open_ledger(&self.floor).await?.drain().await.map_err(Failure::from),
            None => signed_by_node(&self.floor.db, data_dir).await,
        };
        self.close().await;
        settled
    }
}

/// The person who gives a command, proven as at any login.
pub async fn vouched(config: &Config, db: &Db, keys: &Keys, login: &str) -> Result<Actor, Failure> {
    let access = access_of(config, db, keys)?;
    let password = asked(&format!("{login} 的密码")).map_err(Failure::broken)?;
    let proven = access.vouch(login, &password, || asked("动态口令（6 位数字）")).await;
    proven.map_err(|error| Failure::Usage(format!("没有认可 {login}：{error}")))
}

fn access_of(config: &Config, db: &Db, keys: &Keys) -> Result<Access, Failure> {
    let policy = SecondFactorPolicy::parse(&config.second_factor).unwrap_or_default();
    let vault = Vault::beside_master(&config.data_dir.join("keys"), config.production)?;
    let passwords = PasswordProfile::parse(&config.password_profile).unwrap_or_default();
    let hashing = PasswordHashing::parse(&config.password_hash).unwrap_or_default();
    let access = Access::new(db.clone(), Arc::new(vault)).with_passwords(passwords, hashing);
    Ok(access.with_second_factor(policy, keys.clone()))
}

/// One line of standard input; what is typed at a terminal is not shown.
pub fn asked(what: &str) -> std::io::Result<String> {
    let hidden = std::io::stdin().is_terminal();
    if hidden {
        eprint!("{what}：");
        echo(false);
    }
    let mut line = String::new();
    let read = std::io::stdin().read_line(&mut line);
    if hidden {
        echo(true);
        eprintln!();
    }
    read.map(|_| line.trim_end_matches(['\r', '\n']).to_owned())
}

fn echo(on: bool) {
    // where there is no stty the password is seen by whoever stands beside; that is no reason to refuse
    let _ = std::process::Command::new("stty").arg(if on { "echo" } else { "-echo" }).status();
}

/// Signs what a command on a stopped node has written, before it answers.
pub async fn seal(config: &Config, db: &Db) -> Result<(), Failure> {
    let Config { data_dir, area, production, .. } = config;
    let keys = Vault::beside_master(&data_dir.join("keys"), *production)?;
    let folder = data_dir.join("log");
    let log = log::Ledger::open(db.clone(), &folder, Arc::new(keys), area).await?;
    Ok(log.drain().await?)
}

async fn signed_by_node(db: &Db, data_dir: &Path) -> Result<(), Failure> {
    let due = db.count("SELECT entries FROM change_head WHERE id = 1", &[]).await?;
    let due = u64::try_from(due).unwrap_or(0);
    let shelf = log::Shelf::new(data_dir.join("log"));
    let signed = async {
        loop {
            match shelf.sealed() {
                Ok(sealed) if sealed >= due => return Ok(()),
                Err(error) => return Err(Failure::from(error)),
                _ => tokio::time::sleep(LOOK_EVERY).await,
            }
        }
    };
    tokio::time::timeout(SIGNED_WITHIN, signed).await.unwrap_or_else(|_| {
        Err(Failure::Broken("已经记下，但正在运行的节点一分钟内没有签署；请查看节点日志".into()))
    })
}
