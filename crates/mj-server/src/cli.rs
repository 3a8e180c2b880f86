//! The commands and their exit codes, after docs/contracts.md 1.

use std::path::PathBuf;

use chrono::NaiveDate;
use clap::{Parser, Subcommand, ValueEnum};
use mj_kernel::Clock;
use mj_platform::SystemClock;

/// 明鉴：“互联网+监管”平台
#[derive(Parser)]
#[command(name = "mingjian", version, about, disable_help_subcommand = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// 建好演示城市并提供服务
    Demo {
        #[command(flatten)]
        at: At,
        /// 监听端口
        #[arg(long)]
        port: Option<u16>,
        /// 演示城市的大小
        #[arg(long, value_enum, default_value = "full")]
        size: Size,
    },
    /// 提供服务
    Serve {
        #[command(flatten)]
        at: At,
        #[arg(long)]
        port: Option<u16>,
    },
    /// 把数据库升级到本版本
    Migrate {
        #[command(flatten)]
        at: At,
    },
    /// 导入一个部门文件
    Import {
        /// 数据标准中的表名，如 check_action
        table: String,
        file: PathBuf,
        /// 数据来源（cd_source）
        #[arg(long)]
        source: String,
        #[command(flatten)]
        at: At,
    },
    /// 成批登记一个数据来源的本地事项编码对应哪些监管事项
    Mappings {
        /// 表格文件，列为 local_code,item_code,valid_from,valid_to（后两列可以没有）
        file: PathBuf,
        /// 数据来源（cd_source）
        #[arg(long)]
        source: String,
        #[command(flatten)]
        at: At,
    },
    /// 从表格成批登记执法证的执法类别对应哪些事项条线（节点须停止）
    Wordings {
        /// 表格文件，列为 agency,wording,line,valid_from,valid_to（后两列可以没有）
        file: PathBuf,
        #[command(flatten)]
        at: At,
    },
    /// 把已停止节点的数据库整个搬到另一个空库（SQLite 与 PostgreSQL 之间，或同种之间）
    Move {
        /// 目标，如 postgres://用户:口令@主机/库名 或 sqlite:/路径/文件
        #[arg(long)]
        to: String,
        #[command(flatten)]
        at: At,
    },
    /// 检查代码或表格，不入库
    Check {
        #[command(subcommand)]
        what: Check,
    },
    /// 用监管日志核对业务数据：哪一行被改动、缺失或多出
    #[command(args_conflicts_with_subcommands = true)]
    Verify {
        #[command(subcommand)]
        what: Option<Verify>,
        #[command(flatten)]
        at: At,
        /// 另外指定数据库（默认为数据目录所配置的）
        #[arg(long)]
        db: Option<String>,
        /// 在别处保存的检查点
        #[arg(long)]
        checkpoint: Option<PathBuf>,
    },
    /// 备份：把节点此刻的样子加密存到另一处，节点可以在运行
    Backup {
        #[command(flatten)]
        at: At,
        /// 存放处（默认为 [backup] folder）
        #[arg(long)]
        into: Option<PathBuf>,
        /// 另做一份基础备份（仅 PostgreSQL）
        #[arg(long)]
        base: bool,
        /// 同时清除过期的备份
        #[arg(long)]
        prune: bool,
    },
    /// 恢复：把节点恢复到某一时刻，写进空目录，并与监管日志核对
    Restore {
        #[command(flatten)]
        at: At,
        /// 备份存放处
        #[arg(long, required_unless_present = "finish")]
        from: Option<PathBuf>,
        /// 备份密钥文件（mingjian keys export-backup 所得）
        #[arg(long, required_unless_present = "finish")]
        key: Option<PathBuf>,
        /// 恢复到哪一时刻，如 "2026-11-22 09:30:00"，或 latest
        #[arg(long, default_value = "latest")]
        to: String,
        /// 在别处保存的检查点
        #[arg(long)]
        checkpoint: Option<PathBuf>,
        /// PostgreSQL 的数据放进哪个空目录
        #[arg(long)]
        pg_dir: Option<PathBuf>,
        /// PostgreSQL 恢复完成后的最后一步
        #[arg(long)]
        finish: bool,
    },
    /// 密钥：更换、导出备份密钥、销毁一个人的密钥
    Keys {
        #[command(subcommand)]
        what: Keys,
    },
    /// 监管日志：公钥、分叉登记、修复、封存、见证、依法删除
    Log {
        #[command(subcommand)]
        what: crate::ledger::command::Log,
    },
    /// 应急启用码：三位管理员都进不来时，由两位保管人一起启用
    Emergency {
        #[command(subcommand)]
        what: crate::ledger::command::Emergency,
    },
    /// 管理员的一次性启用码：丢了的另发
    Enrolment {
        #[command(subcommand)]
        what: crate::ledger::command::Enrolment,
    },
    /// 体检：哪里不对，怎样修
    Doctor {
        #[command(flatten)]
        at: At,
        /// 打印现行业务内容的摘要
        #[arg(long)]
        digest: bool,
    },
}

#[derive(Subcommand)]
enum Check {
    /// 逐行检查代码：统一社会信用代码、身份证号、行政区划等
    Codes {
        #[arg(long, value_enum)]
        kind: Kind,
        /// 以哪一天为准（默认今天）
        #[arg(long)]
        on: Option<NaiveDate>,
        /// 先规整（全角、空格、大小写）再判断
        #[arg(long)]
        normalize: bool,
        /// 文件，- 为标准输入
        #[arg(default_value = "-")]
        file: PathBuf,
    },
    /// 按数据标准检查一个表格文件
    Table {
        table: String,
        file: PathBuf,
        /// 输出一个 JSON 对象
        #[arg(long)]
        json: bool,
        /// 用此数据目录中的清单、人员等做关联检查
        #[arg(long)]
        data_dir: Option<PathBuf>,
    },
}

#[derive(Subcommand)]
enum Verify {
    /// 核验一份凭证，不需要数据目录
    Receipt {
        file: PathBuf,
        /// 从别处取得的日志公钥，或存有公钥的文件
        #[arg(long)]
        key: Option<String>,
    },
}

#[derive(Subcommand)]
enum Keys {
    /// 更换主密钥：重新包装各把密钥，不改动任何业务数据；中断后再执行即可接着完成
    RotateMaster {
        #[command(flatten)]
        at: At,
    },
    /// 更换一类密钥，如 backup、log
    Rotate {
        class: String,
        #[command(flatten)]
        at: At,
    },
    /// 把备份密钥写到一个文件，供分开保管
    ExportBackup {
        #[arg(long)]
        out: PathBuf,
        #[command(flatten)]
        at: At,
    },
    /// 从备份的清单找回个人密钥：keys/personal.key 丢失，或数据库是用别的办法恢复的
    Recover {
        /// 备份存放处
        #[arg(long)]
        from: PathBuf,
        /// 备份密钥文件
        #[arg(long)]
        key: PathBuf,
        #[command(flatten)]
        at: At,
    },
    /// 销毁一个人的密钥，其个人信息从此读不出，备份中的也一样；公民身份号码从标准输入给出
    Erase {
        /// 依据
        #[arg(long)]
        reason: String,
        /// 下达命令的安全管理员的登录名；密码和动态口令接在标准输入的号码之后
        #[arg(long)]
        by: Option<String>,
        #[command(flatten)]
        at: At,
    },
}

#[derive(clap::Args)]
pub struct At {
    /// 数据目录
    #[arg(long, default_value = "mingjian-data", env = "MINGJIAN_DATA_DIR")]
    pub data_dir: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Size {
    Small,
    Full,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    Uscc,
    Org,
    CitizenId,
    Regno,
    Division,
    Industry,
    Item,
}

/// How a command ended that could be carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Clean = 0,
    /// Done, and something is wrong with the data.
    Findings = 1,
}

impl Outcome {
    pub fn clean_if(clean: bool) -> Self {
        if clean { Outcome::Clean } else { Outcome::Findings }
    }
}

/// Why a command could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Usage, input or configuration cannot be used.
    #[error("{0}")]
    Usage(String),
    /// I/O or database.
    #[error("{0}")]
    Broken(String),
}

impl Failure {
    pub fn code(&self) -> u8 {
        match self {
            Failure::Usage(_) => 2,
            Failure::Broken(_) => 3,
        }
    }

    pub fn broken(error: impl std::fmt::Display) -> Self {
        Failure::Broken(error.to_string())
    }
}

/// An error with its causes, for the person at the machine.
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        // transparent wrappers repeat what they wrap
        if !text.contains(&said) {
            text.push('：');
            text.push_str(&said);
        }
        cause = error.source();
    }
    text
}

impl From<mj_platform::Error> for Failure {
    fn from(error: mj_platform::Error) -> Self {
        match error {
            mj_platform::Error::Config(_) | mj_platform::Error::Key(_) => {
                Failure::Usage(error.to_string())
            }
            other => Failure::Broken(chain(&other)),
        }
    }
}

impl Cli {
    pub fn run(self) -> Result<Outcome, Failure> {
        match self.command {
            Command::Check { what: Check::Codes { kind, on, normalize, file } } => {
                let on = on.unwrap_or_else(|| SystemClock.today());
                crate::check::codes(kind, on, normalize, &file)
            }
            Command::Check { what: Check::Table { table, file, json, data_dir } } => {
                runtime()?.block_on(crate::check::table(&table, &file, json, data_dir.as_deref()))
            }
            Command::Demo { at, port, size } => {
                runtime()?.block_on(crate::demo::run(&at.data_dir, port, size))
            }
            Command::Serve { at, port } => {
                runtime()?.block_on(crate::serve::run(&at.data_dir, port))
            }
            Command::Migrate { at } => runtime()?.block_on(crate::node::migrate(&at.data_dir)),
            Command::Import { table, file, source, at } => {
                runtime()?.block_on(crate::import::run(&table, &file, &source, &at.data_dir))
            }
            Command::Mappings { file, source, at } => {
                runtime()?.block_on(crate::mappings::run(&file, &source, &at.data_dir))
            }
            Command::Wordings { file, at } => {
                runtime()?.block_on(crate::wordings::run(&file, &at.data_dir))
            }
            Command::Move { to, at } => runtime()?.block_on(crate::moving::run(&at.data_dir, &to)),
            Command::Verify { what: Some(Verify::Receipt { file, key }), .. } => {
                crate::ledger::receipt::run(&file, key.as_deref())
            }
            Command::Verify { what: None, at, db, checkpoint } => {
                let order = crate::ledger::verify::Order {
                    data_dir: &at.data_dir,
                    db: db.as_deref(),
                    checkpoint: checkpoint.as_deref(),
                };
                runtime()?.block_on(crate::ledger::verify::run(order))
            }
            Command::Backup { at, into, base, prune } => {
                let order = crate::backup::Order { data_dir: &at.data_dir, into, base, prune };
                runtime()?.block_on(crate::backup::run(order))
            }
            Command::Restore { at, checkpoint, finish: true, .. } => {
                let checkpoint = checkpoint.as_deref();
                runtime()?.block_on(crate::restore::finish(&at.data_dir, checkpoint))
            }
            Command::Restore { at, from, key, to, checkpoint, pg_dir, finish: false } => {
                let order = crate::restore::Order {
                    data_dir: &at.data_dir,
                    from: &from.unwrap_or_default(),
                    key: &key.unwrap_or_default(),
                    to: &to,
                    checkpoint: checkpoint.as_deref(),
                    pg_dir: pg_dir.as_deref(),
                };
                runtime()?.block_on(crate::restore::run(order))
            }
            Command::Keys { what } => match what {
                Keys::RotateMaster { at } => {
                    runtime()?.block_on(crate::keyring::rotate_master(&at.data_dir))
                }
                Keys::Rotate { class, at } => {
                    runtime()?.block_on(crate::keyring::rotate(&at.data_dir, &class))
                }
                Keys::ExportBackup { out, at } => crate::backup::export_key(&at.data_dir, &out),
                Keys::Recover { from, key, at } => {
                    runtime()?.block_on(crate::keyring::recover(&at.data_dir, &from, &key))
                }
                Keys::Erase { reason, by, at } => {
                    runtime()?.block_on(crate::keyring::erase(&at.data_dir, &reason, by.as_deref()))
                }
            },
            Command::Log { what } => runtime()?.block_on(crate::ledger::command::run(what)),
            Command::Emergency { what } => {
                runtime()?.block_on(crate::ledger::command::emergency(what))
            }
            Command::Enrolment { what } => {
                runtime()?.block_on(crate::ledger::command::enrolment(what))
            }
            Command::Doctor { at, digest } => {
                runtime()?.block_on(crate::doctor::run(&at.data_dir, digest))
            }
        }
    }
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(Failure::broken)
}
