//! Names of enterprises taken apart after the rules they are given by: region + trade name (字号) +
//! line of business + form of organisation, and behind it what a branch adds.

use crate::fold::fold;
use crate::place::{Level, as_place, place_at_start, town_at_start, zone_at_start};

/// Form of organisation, as far as the name shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum OrgForm {
    /// 有限公司, 有限责任公司
    Limited,
    /// 股份有限公司
    JointStock,
    /// 公司 without saying which
    Company,
    /// 合作社
    Cooperative,
    /// Everything else: shops, works, offices, individual businesses.
    Other,
}

/// A name in its parts. Two names with the same `canonical` are the same name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    /// The folded name: one width, one kind of brackets, one spelling of the form.
    pub canonical: String,
    /// Stems of the divisions named in front or in brackets: `枣庄`, `薛城`.
    pub regions: Vec<String>,
    /// 字号, when it can be told.
    pub trade: String,
    /// What is left between trade name and form: line of business.
    pub line: String,
    pub form: OrgForm,
    /// What follows the form: `薛城分公司`, `市民中心店`.
    pub branch: String,
    /// Other names given in brackets.
    pub aliases: Vec<String>,
}

impl Name {
    /// The name without region, form, brackets: trade name and line of business.
    pub fn core(&self) -> String {
        format!("{}{}", self.trade, self.line)
    }

    /// Keys under which to look for candidates: whole name, core, trade name of two or more
    /// characters. Equal parties nearly always share one.
    pub fn keys(&self) -> Vec<String> {
        let mut keys = vec![self.canonical.clone()];
        for key in [format!("{}{}", self.core(), self.branch), self.trade.clone()] {
            if key.chars().count() >= 2 && !keys.contains(&key) {
                keys.push(key);
            }
        }
        keys
    }

    /// What tells a branch from its sisters: the places it names, and its own name without the kind of
    /// branch behind it (支行, 营业部).
    pub(crate) fn branch_parts(&self) -> (Vec<String>, &str) {
        let mut places = Vec::new();
        let own = strip_regions(&self.branch, &mut places);
        let core = BRANCH_KINDS
            .iter()
            .find_map(|kind| own.strip_suffix(kind))
            .filter(|core| !core.is_empty())
            .unwrap_or(own);
        (places, core)
    }

    /// Company names are unique where they are registered; names of shops are not.
    pub(crate) fn is_company(&self) -> bool {
        matches!(self.form, OrgForm::Limited | OrgForm::JointStock)
    }
}

/// Additions in brackets that belong to no name: `(个体工商户)`.
const FORM_NOTES: [&str; 12] = [
    "个体工商户",
    "个体",
    "普通合伙",
    "特殊普通合伙",
    "有限合伙",
    "合伙企业",
    "个人独资",
    "个人独资企业",
    "集体所有制",
    "有限责任公司",
    "有限公司",
    "集团",
];

/// What branches are called, longest first.
const BRANCH_KINDS: [&str; 22] = [
    "证券营业部",
    "农资经销点",
    "邮政支局",
    "邮政所",
    "储蓄所",
    "营业所",
    "营业厅",
    "营业部",
    "分理处",
    "报刊亭",
    "加油站",
    "办事处",
    "连锁店",
    "专卖店",
    "门市部",
    "经营部",
    "分公司",
    "支公司",
    "支行",
    "分行",
    "支局",
    "店",
];

/// Forms at the end of a name, longest first.
const FORMS: [(&str, OrgForm); 17] = [
    ("集团股份有限公司", OrgForm::JointStock),
    ("股份有限公司", OrgForm::JointStock),
    ("集团有限公司", OrgForm::Limited),
    ("控股有限公司", OrgForm::Limited),
    ("有限公司", OrgForm::Limited),
    ("集团总公司", OrgForm::Company),
    ("集团公司", OrgForm::Company),
    ("总公司", OrgForm::Company),
    ("公司", OrgForm::Company),
    ("农民专业合作社联合社", OrgForm::Cooperative),
    ("专业合作社联合社", OrgForm::Cooperative),
    ("农民专业合作社", OrgForm::Cooperative),
    ("股份经济合作社", OrgForm::Cooperative),
    ("专业合作社", OrgForm::Cooperative),
    ("经济合作社", OrgForm::Cooperative),
    ("股份合作社", OrgForm::Cooperative),
    ("合作社", OrgForm::Cooperative),
];

/// Words a line of business begins with. A trade name ends before the first of them.
const LINES: &str = "科技 技术 信息 网络 软件 电子 电器 电气 电力 电缆 电线 电脑 电机 电梯 通信 通讯 数码 \
    智能 自动化 机械 机电 机床 设备 仪器 仪表 五金 模具 工具 阀门 泵业 泵阀 轴承 紧固件 标准件 铸造 锻造 \
    汽车 摩托车 车辆 汽配 汽修 驾驶员 驾校 运输 物流 货运 客运 快递 仓储 航运 船舶 港口 出租 租赁 \
    贸易 商贸 经贸 工贸 外贸 进出口 国际 实业 工业 产业 企业 投资 资产 资本 基金 金融 小额贷款 融资 担保 \
    保险 证券 期货 银行 信用社 典当 拍卖 会计 税务师 律师 事务所 咨询 管理 策划 营销 服务 服饰 服装 \
    制衣 针织 纺织 印染 化纤 绣品 织造 皮革 皮具 皮业 鞋业 鞋材 箱包 家纺 家具 家居 木业 木制品 竹业 装饰 \
    装潢 装修 装璜 建筑 建材 建设 工程 钢结构 园林 绿化 景观 房地产 置业 物业 地产 市政 路桥 水利 水泥 \
    混凝土 石材 陶瓷 玻璃 塑料 塑胶 塑业 橡胶 包装 印刷 纸业 纸品 彩印 化工 化学 涂料 油漆 颜料 \
    能源 新能源 石油 石化 燃气 煤业 煤炭 矿业 冶金 钢铁 金属 铝业 铜业 不锈钢 环保 环境 再生资源 \
    新材料 材料 医药 药业 制药 药房 药店 大药房 医疗 医院 诊所 门诊部 生物 保健 卫生 护理 养老 食品 饮料 \
    酒业 酒店 宾馆 旅馆 旅社 饭店 餐饮 餐厅 餐馆 饭庄 酒楼 火锅 烧烤 小吃 快餐 面馆 咖啡 茶业 茶叶 茶楼 \
    茶庄 糕点 面包 蛋糕 水果 蔬菜 粮油 粮食 农业 农产品 农机 农资 种业 种植 养殖 畜牧 饲料 水产 渔业 林业 \
    果业 苗木 花卉 花木 超市 百货 商场 商店 商行 商城 便利店 批发部 经营部 门市部 零售 销售 专卖店 \
    日用品 用品 化妆品 美容 美发 理发 发型 健身 体育 足浴 洗浴 浴室 洗衣 娱乐 网吧 歌厅 影视 影城 传媒 \
    广告 文化 艺术 教育 培训 学校 幼儿园 图书 书店 旅游 旅行社 会展 礼仪 婚庆 摄影 珠宝 首饰 黄金 眼镜 \
    钟表 玩具 工艺品 工艺 制品 文具 办公 乐器 加油站 加气站 停车场 修理厂 修理 维修 汽车修理厂 制造 加工 \
    加工厂 制药厂 机械厂 塑料厂 五金厂 人力资源 劳务 职业介绍 中介 家政 保洁 保安 安防 消防 检测 勘察 \
    设计 规划 测绘 监理 招标 电子商务 供应链 计算机 光电 光学 照明 灯饰 灯具 洁具 卫浴 厨具 橱柜 门窗 铝材 \
    气体 锅炉 制冷 空调 暖通 水务 供水 供电 供热 开发 发展 连锁 集团 生态 休闲 农庄 山庄 度假村 \
    健康 美食 土特产 调味品 肉制品 豆制品 冷饮 奶业 乳业 油脂 糖业 盐业 烟草 烟酒 副食 母婴 童装 内衣 \
    管道 管业 物资 精密 数控 牧业 房产 财务 时装 展览 展示 品牌 动漫 发电 光伏 知识产权 日化 \
    室内 轮胎 液压 特钢 农副产品 种养 苗圃 复合材料 经济 股份 供销 农村 社区 工作室 服务部 服务站 服务中心 维修部 加工部 分公司 公司";

fn is_line_at(text: &str) -> bool {
    use std::collections::HashSet;
    use std::sync::OnceLock;
    static WORDS: OnceLock<HashSet<&'static str>> = OnceLock::new();
    let words = WORDS.get_or_init(|| LINES.split_whitespace().collect());
    text.char_indices()
        .skip(1)
        .take(5)
        .map(|(at, _)| at)
        .chain(std::iter::once(text.len()))
        .any(|end| words.contains(&text[..end]))
}

/// Brings a name to its canonical form and takes it apart. Applied to its own `canonical` it gives the
/// same again.
pub fn normalize_name(raw: &str) -> Name {
    let mut text = fold(raw).replace('·', "");
    let mut aliases = Vec::new();
    let mut regions: Vec<String> = Vec::new();
    // Taking one thing away may uncover another: 有限责任(个体)公司. Each round makes the text shorter.
    let (canonical, plain) = loop {
        let settled =
            settle_brackets(&text.replace("有限责任公司", "有限公司"), &mut regions, &mut aliases);
        if settled.0 == text {
            break settled;
        }
        text = settled.0;
    };
    let (head, branch) = split_branch(&plain);
    let (body, form) = strip_form(head);
    let mut front = Vec::new();
    let body = strip_regions(body, &mut front);
    for region in front.into_iter().rev() {
        if !regions.contains(&region) {
            regions.insert(0, region);
        }
    }
    let (trade, line) = split_trade(body);
    Name {
        regions,
        trade: trade.to_owned(),
        line: line.to_owned(),
        form,
        branch: branch.to_owned(),
        aliases,
        canonical,
    }
}

/// Takes the brackets apart: places are regions, notes on the form vanish, other names are kept aside,
/// and anything else stays part of the name. Returns the canonical name (regions and the rest in
/// brackets) and the name without any brackets.
fn settle_brackets(
    text: &str,
    regions: &mut Vec<String>,
    aliases: &mut Vec<String>,
) -> (String, String) {
    let mut canonical = String::with_capacity(text.len());
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    // 第二名称:… without brackets.
    if let Some(at) =
        ["第二名称", "从属名称", "曾用名"].iter().filter_map(|mark| rest.find(mark)).min()
        && at > 0
        && !rest[..at].ends_with('(')
    {
        push_alias(aliases, &rest[at..]);
        rest = &rest[..at];
    }
    while let Some(open) = rest.find('(') {
        canonical.push_str(&rest[..open]);
        plain.push_str(&rest[..open]);
        let inside_on = &rest[open + 1..];
        // A bracket that never closes runs to the end.
        let (inside, after) = match inside_on.find(')') {
            Some(close) => (&inside_on[..close], &inside_on[close + 1..]),
            None => (inside_on, ""),
        };
        let inside = inside.replace('(', "");
        rest = after;
        if FORM_NOTES.contains(&inside.as_str()) || inside.is_empty() {
            // 浙江省台州酒厂(有限公司) and 某某(集团)有限公司 mean the same without.
            continue;
        }
        if let Some(place) = as_place(&inside) {
            if !regions.iter().any(|r| r == place.stem) {
                regions.push(place.stem.to_owned());
            }
            canonical.push_str(&format!("({inside})"));
            continue;
        }
        if inside.contains("名称") || inside.contains("曾用名") || inside.starts_with("原") {
            push_alias(aliases, &inside);
            continue;
        }
        canonical.push_str(&format!("({inside})"));
        plain.push_str(&inside);
    }
    canonical.push_str(rest);
    plain.push_str(rest);
    // Closing brackets without an opening one say nothing.
    (balance(&canonical), plain.replace(')', ""))
}

fn balance(text: &str) -> String {
    let mut open = 0;
    text.chars()
        .filter(|c| match c {
            '(' => {
                open += 1;
                true
            }
            ')' if open == 0 => false,
            ')' => {
                open -= 1;
                true
            }
            _ => true,
        })
        .collect()
}

fn push_alias(aliases: &mut Vec<String>, text: &str) {
    let name = text.rsplit([':', '：']).next().unwrap_or(text);
    if name.chars().count() >= 2 {
        aliases.push(name.replace(['(', ')'], ""));
    }
}

/// Head up to its form of organisation, and what a branch adds behind it.
fn split_branch(text: &str) -> (&str, &str) {
    let mut from = 0;
    while let Some(found) = text[from..].find("公司") {
        let end = from + found + "公司".len();
        from = end;
        let before = &text[..end];
        // 分公司, 子公司 are no head; a head needs something before its form.
        if before.ends_with("分公司")
            || before.ends_with("子公司")
            || strip_form(before).0.is_empty()
        {
            continue;
        }
        return (before, &text[end..]);
    }
    (text, "")
}

fn strip_form(text: &str) -> (&str, OrgForm) {
    for (suffix, form) in FORMS {
        if let Some(body) = text.strip_suffix(suffix) {
            return (body, form);
        }
    }
    (text, OrgForm::Other)
}

/// Takes divisions off the front as long as a name of two characters is left.
fn strip_regions<'a>(body: &'a str, regions: &mut Vec<String>) -> &'a str {
    let mut rest = body;
    let mut level: Option<Level> = None;
    while let Some(place) = place_at_start(rest) {
        let after = &rest[place.len..];
        let deeper = level.is_none_or(|l| place.level > l);
        if !deeper || after.chars().count() < 2 || (!place.certain && level.is_none()) {
            break;
        }
        // 永兴商贸: what looks like a county is the trade name when nothing else is.
        let bare = place.stem.len() == place.len;
        if bare && is_line_at(after) && zone_at_start(after).is_none() {
            break;
        }
        regions.push(place.stem.to_owned());
        level = Some(place.level);
        rest = after;
    }
    if level.is_none() {
        return rest;
    }
    for find in [zone_at_start, town_at_start] {
        if let Some(len) = find(rest)
            && rest[len..].chars().count() >= 2
        {
            regions.push(rest[..len].to_owned());
            rest = &rest[len..];
        }
    }
    rest
}

/// The trade name ends where the line of business begins, two characters or more into the name.
fn split_trade(body: &str) -> (&str, &str) {
    if is_line_at(body) {
        return ("", body);
    }
    body.char_indices()
        .skip(2)
        .map(|(at, _)| at)
        .find(|&at| is_line_at(&body[at..]))
        .map_or((body, ""), |at| body.split_at(at))
}
