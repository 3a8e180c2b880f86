//! The catalogue of the city: main items of ten lines, their sub-items by administrative type, and the implementation
//! list of every body. All in force since 2020, except the items that were cancelled on purpose.

use chrono::{Duration, NaiveDate};

use crate::agencies::Agency;

/// A main item as it is written down here.
pub(crate) struct Main {
    pub line: &'static str,
    pub name: &'static str,
    pub object: &'static str,
    pub law: &'static str,
    /// Facts found in inspections and the article that punishes them.
    pub facts: &'static [&'static str],
    pub punish_law: &'static str,
    /// There is a power to seal or seize.
    pub force: bool,
    /// Withdrawn 500 days before today.
    pub cancelled: bool,
}

macro_rules! main_item {
    ($line:literal, $name:literal, $object:literal, $law:literal, [$($fact:literal),*], $punish:literal, $force:literal) => {
        Main { line: $line, name: $name, object: $object, law: $law, facts: &[$($fact),*], punish_law: $punish, force: $force, cancelled: false }
    };
    ($line:literal, $name:literal, $object:literal, cancelled) => {
        Main { line: $line, name: $name, object: $object, law: "已废止的规范性文件", facts: &["不再适用"], punish_law: "已废止", force: false, cancelled: true }
    };
}

pub(crate) const MAINS: &[Main] = &[
    main_item!(
        "31",
        "食品经营监督管理",
        "食品经营者",
        "《中华人民共和国食品安全法》第一百一十条",
        [
            "经营超过保质期的食品",
            "未查验供货者的许可证和相关证明文件",
            "食品经营许可证未悬挂在醒目位置",
            "从业人员未取得健康证明上岗"
        ],
        "《中华人民共和国食品安全法》第一百二十四条、第一百二十六条",
        true
    ),
    main_item!(
        "31",
        "食品生产监督管理",
        "食品生产者",
        "《食品生产许可管理办法》第四十八条",
        ["未按规定进行出厂检验", "生产记录不完整", "标签不符合食品安全标准"],
        "《中华人民共和国食品安全法》第一百二十五条",
        true
    ),
    main_item!(
        "31",
        "特种设备使用监督管理",
        "特种设备使用单位",
        "《中华人民共和国特种设备安全法》第五十七条",
        ["使用未经定期检验的特种设备", "未设置特种设备安全管理人员", "电梯未粘贴使用标志"],
        "《中华人民共和国特种设备安全法》第八十三条、第八十四条",
        true
    ),
    main_item!(
        "31",
        "药品零售监督管理",
        "药品零售企业",
        "《中华人民共和国药品管理法》第九十九条",
        ["未凭处方销售处方药", "药品阴凉储存条件不符合要求"],
        "《中华人民共和国药品管理法》第一百二十六条",
        true
    ),
    main_item!(
        "31",
        "广告和价格监督管理",
        "经营者",
        "《中华人民共和国价格法》第三十四条",
        ["未按规定明码标价", "广告使用绝对化用语"],
        "《价格违法行为行政处罚规定》第十三条",
        false
    ),
    main_item!(
        "31",
        "企业登记事项监督管理",
        "市场主体",
        "《企业信息公示暂行条例》第十四条",
        ["公示信息与实际情况不一致", "通过登记的住所无法联系"],
        "《中华人民共和国市场主体登记管理条例》第四十六条",
        false
    ),
    main_item!("31", "营业执照年检监督管理", "企业", cancelled),
    main_item!(
        "25",
        "危险化学品经营安全监督管理",
        "危险化学品经营单位",
        "《危险化学品安全管理条例》第七条",
        ["未按规定储存危险化学品", "未制定事故应急预案"],
        "《危险化学品安全管理条例》第八十条",
        true
    ),
    main_item!(
        "25",
        "工贸企业安全生产监督管理",
        "工贸企业",
        "《中华人民共和国安全生产法》第六十五条",
        ["未如实记录安全生产教育培训情况", "安全设备的安装不符合国家标准", "有限空间作业未经审批"],
        "《中华人民共和国安全生产法》第九十七条、第九十九条",
        true
    ),
    main_item!(
        "25",
        "矿山安全生产监督管理",
        "矿山企业",
        "《中华人民共和国矿山安全法》第三十三条",
        ["隐患排查台账不完整", "安全出口不畅通"],
        "《中华人民共和国安全生产法》第一百零五条",
        true
    ),
    main_item!(
        "25",
        "烟花爆竹经营监督管理",
        "烟花爆竹经营单位",
        "《烟花爆竹安全管理条例》第三条",
        ["超量储存", "未悬挂经营许可证"],
        "《烟花爆竹安全管理条例》第四十一条",
        true
    ),
    main_item!("25", "安全生产标准化达标监督管理", "企业", cancelled),
    main_item!(
        "23",
        "公共场所卫生监督管理",
        "公共场所经营者",
        "《公共场所卫生管理条例实施细则》第三十二条",
        ["未按规定对顾客用品用具进行清洗消毒", "从业人员未取得有效健康合格证明"],
        "《公共场所卫生管理条例实施细则》第三十六条、第三十八条",
        false
    ),
    main_item!(
        "23",
        "医疗机构执业监督管理",
        "医疗机构",
        "《医疗机构管理条例》第四十条",
        ["使用非卫生技术人员从事医疗卫生技术工作", "病历书写不规范"],
        "《医疗机构管理条例》第四十七条",
        true
    ),
    main_item!(
        "23",
        "医疗废物管理监督",
        "医疗卫生机构",
        "《医疗废物管理条例》第三十五条",
        ["医疗废物暂存间不符合要求", "未执行转移联单管理制度"],
        "《医疗废物管理条例》第四十五条",
        true
    ),
    main_item!(
        "23",
        "学校卫生监督管理",
        "学校、托幼机构",
        "《学校卫生工作条例》第二十八条",
        ["教室采光照明不符合标准", "饮用水消毒记录不完整"],
        "《学校卫生工作条例》第三十二条",
        false
    ),
    main_item!("23", "餐饮具集中消毒备案监督", "消毒服务单位", cancelled),
    main_item!(
        "20",
        "农药经营监督管理",
        "农药经营者",
        "《农药管理条例》第四十一条",
        ["未建立农药采购台账", "销售标签不合格的农药"],
        "《农药管理条例》第五十七条",
        true
    ),
    main_item!(
        "20",
        "兽药经营监督管理",
        "兽药经营者",
        "《兽药管理条例》第三条",
        ["未执行兽用处方药管理规定", "未建立购销记录"],
        "《兽药管理条例》第五十九条",
        true
    ),
    main_item!(
        "20",
        "动物防疫监督管理",
        "养殖、屠宰单位",
        "《中华人民共和国动物防疫法》第七十四条",
        ["未按规定建立免疫档案", "无害化处理记录不完整"],
        "《中华人民共和国动物防疫法》第九十二条",
        true
    ),
    main_item!(
        "20",
        "农产品质量安全监督管理",
        "农产品生产经营者",
        "《中华人民共和国农产品质量安全法》第五十二条",
        ["未建立农产品生产记录", "未开具承诺达标合格证"],
        "《中华人民共和国农产品质量安全法》第六十九条",
        true
    ),
    main_item!(
        "18",
        "道路货物运输监督管理",
        "道路货物运输经营者",
        "《中华人民共和国道路运输条例》第五十八条",
        ["未按规定维护和检测运输车辆", "道路运输证未随车携带"],
        "《中华人民共和国道路运输条例》第六十八条、第七十条",
        true
    ),
    main_item!(
        "18",
        "机动车维修监督管理",
        "机动车维修经营者",
        "《机动车维修管理规定》第四十二条",
        ["未建立机动车维修档案", "未公示维修工时定额和收费标准"],
        "《机动车维修管理规定》第五十条",
        false
    ),
    main_item!(
        "18",
        "道路旅客运输监督管理",
        "道路旅客运输经营者",
        "《道路旅客运输及客运站管理规定》第八十三条",
        ["未按批准的站点停靠", "动态监控记录不完整"],
        "《中华人民共和国道路运输条例》第六十九条",
        true
    ),
    main_item!(
        "16",
        "排污许可监督管理",
        "排污单位",
        "《排污许可管理条例》第二十五条",
        ["未按排污许可证规定开展自行监测", "环境管理台账记录不完整"],
        "《排污许可管理条例》第三十六条、第三十七条",
        true
    ),
    main_item!(
        "16",
        "固体废物污染防治监督管理",
        "产生固体废物的单位",
        "《中华人民共和国固体废物污染环境防治法》第二十六条",
        ["危险废物贮存未设置识别标志", "未制定危险废物管理计划"],
        "《中华人民共和国固体废物污染环境防治法》第一百一十二条",
        true
    ),
    main_item!(
        "16",
        "大气污染防治监督管理",
        "排放大气污染物的单位",
        "《中华人民共和国大气污染防治法》第二十九条",
        ["物料未密闭贮存", "挥发性有机物治理设施未正常运行"],
        "《中华人民共和国大气污染防治法》第一百零八条、第一百一十七条",
        true
    ),
    main_item!(
        "17",
        "建筑市场监督管理",
        "建筑施工企业",
        "《中华人民共和国建筑法》第六条",
        ["未按规定办理施工许可", "项目管理人员不到岗履职"],
        "《建设工程质量管理条例》第五十七条",
        false
    ),
    main_item!(
        "17",
        "物业服务监督管理",
        "物业服务企业",
        "《物业管理条例》第五条",
        ["未公开公共收益收支情况", "消防设施维护不到位"],
        "《山东省物业管理条例》第一百零三条",
        false
    ),
    main_item!(
        "17",
        "房地产市场监督管理",
        "房地产开发、经纪机构",
        "《城市房地产开发经营管理条例》第四条",
        ["未在经营场所公示服务项目和收费标准", "未取得预售许可收取定金"],
        "《房地产经纪管理办法》第三十三条",
        false
    ),
    main_item!(
        "22",
        "娱乐场所监督管理",
        "娱乐场所",
        "《娱乐场所管理条例》第三条",
        ["未悬挂未成年人禁入标志", "营业日志记录不完整"],
        "《娱乐场所管理条例》第四十九条、第五十一条",
        false
    ),
    main_item!(
        "22",
        "旅行社监督管理",
        "旅行社",
        "《旅行社条例》第四十一条",
        ["未与旅游者签订合同", "未投保旅行社责任险"],
        "《旅行社条例》第四十九条、第五十五条",
        false
    ),
    main_item!(
        "15",
        "矿产资源开发监督管理",
        "采矿权人",
        "《中华人民共和国矿产资源法》第十一条",
        ["未按时报送年度报告", "超越批准的矿区范围采矿"],
        "《中华人民共和国矿产资源法》第四十条",
        true
    ),
    main_item!(
        "15",
        "林木种子生产经营监督管理",
        "种子生产经营者",
        "《中华人民共和国种子法》第四十九条",
        ["未建立种子生产经营档案"],
        "《中华人民共和国种子法》第七十九条",
        false
    ),
    main_item!(
        "05",
        "校外培训机构监督管理",
        "校外培训机构",
        "《中华人民共和国民办教育促进法》第四十条",
        ["预收费未纳入资金监管", "培训材料未备案"],
        "《校外培训行政处罚暂行办法》第十八条",
        false
    ),
    main_item!(
        "05",
        "民办学校办学监督管理",
        "民办学校",
        "《中华人民共和国民办教育促进法实施条例》第四十八条",
        ["未按规定公示收费项目", "教师资格审核不严"],
        "《中华人民共和国民办教育促进法》第六十二条",
        false
    ),
];

/// A main item with its codes.
pub(crate) struct Item {
    pub main: &'static Main,
    /// Eight digits.
    pub code: String,
}

/// Administrative types of the standard.
pub(crate) const CHECK: &str = "0";
pub(crate) const PUNISH: &str = "1";
pub(crate) const FORCE: &str = "2";
pub(crate) const OTHER: &str = "3";

/// One sub-item.
pub(crate) struct SubItem {
    pub item: usize,
    pub code: String,
    pub name: String,
    pub kind: &'static str,
}

pub(crate) struct Catalogue {
    pub items: Vec<Item>,
    pub subitems: Vec<SubItem>,
    pub cancelled_on: NaiveDate,
}

impl Catalogue {
    pub fn new(today: NaiveDate) -> Self {
        let mut items: Vec<Item> = Vec::new();
        let mut subitems = Vec::new();
        for main in MAINS {
            let sequence = 1 + items.iter().filter(|item| item.main.line == main.line).count();
            let code = format!("{}01{sequence:04}", main.line);
            let what = main.name.trim_end_matches("监督管理").trim_end_matches("监督");
            let mut push = |number: usize, kind, name: String| {
                subitems.push(SubItem {
                    item: items.len(),
                    code: format!("{code}{number:06}"),
                    name,
                    kind,
                });
            };
            push(1, CHECK, format!("对{}的日常监督检查（{what}）", main.object));
            push(2, CHECK, format!("对{}的专项监督检查（{what}）", main.object));
            push(3, PUNISH, format!("对{}违反{what}规定行为的处罚", main.object));
            if main.force {
                push(4, FORCE, format!("对{what}涉案场所、设施或者财物的查封、扣押"));
            }
            push(5, OTHER, format!("对{}的行政约谈、行政指导（{what}）", main.object));
            items.push(Item { main, code });
        }
        Self { items, subitems, cancelled_on: today - Duration::days(500) }
    }

    pub fn is_cancelled(&self, sub: &SubItem) -> bool {
        self.items[sub.item].main.cancelled
    }

    /// Sub-items of a line and type that may be cited.
    pub fn of(&self, line: &str, kind: &str) -> Vec<usize> {
        (0..self.subitems.len())
            .filter(|&at| {
                let sub = &self.subitems[at];
                sub.kind == kind
                    && self.items[sub.item].main.line == line
                    && !self.is_cancelled(sub)
            })
            .collect()
    }
}

/// Body, level, item: the remainder of the code after 19 characters is our own choice.
pub(crate) fn implementation_code(agency: &Agency, subitem: &str) -> String {
    format!("{}{}{subitem}", agency.org_code, agency.exercise_level)
}
