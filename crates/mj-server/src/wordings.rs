//! `mingjian wordings FILE`: which lines of items the wordings of certificates stand for, a whole list at once.

use std::path::Path;

use mj_kernel::Actor;
use mj_platform::Act;

use crate::cli::{Failure, Outcome};
use crate::mappings::{day, rows_of};
use crate::node::Node;

const COLUMNS: [&str; 5] = ["agency", "wording", "line", "valid_from", "valid_to"];

pub async fn run(file: &Path, data_dir: &Path) -> Result<Outcome, Failure> {
    let rows = rows_of(file, data_dir, &COLUMNS, 3)?;
    let node = Node::open(data_dir, None).await?;
    let (mut entered, mut refused) = (0, 0);
    for (number, cells) in rows {
        let cell = |at: usize| cells[at].as_deref();
        let judged = async {
            let agency = cell(0).ok_or("没有部门的统一社会信用代码")?;
            let wording = cell(1).ok_or("没有执法类别")?;
            let line = cell(2).ok_or("没有事项条线")?;
            let (from, to) = (day(cell(3))?, day(cell(4))?);
            let known = "SELECT COUNT(*) FROM agency WHERE uscc = $1";
            let count = node.db.count(known, &[agency.into()]).await;
            if count.map_err(|error| error.to_string())? == 0 {
                return Err(format!("没有登记过部门“{agency}”"));
            }
            let object = format!("certificate_wording:{agency}");
            let act = Act::new(&Actor::system("command"), "registry.wording.create", object);
            let done = node.domains.registry.map_wording(act, agency, wording, line, from, to);
            done.await.map_err(|error| match error {
                mj_registry::Error::WordingLine(_) => format!("没有代码为“{line}”的事项条线"),
                error => error.to_string(),
            })
        };
        match judged.await {
            Ok(()) => entered += 1,
            Err(why) => {
                refused += 1;
                println!("{number}\t{why}");
            }
        }
    }
    node.db.close().await;
    eprintln!("登记 {entered} 条，未登记 {refused} 条（行号和原因见上）");
    Ok(Outcome::clean_if(refused == 0))
}
