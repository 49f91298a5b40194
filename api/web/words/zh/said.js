// 接口用英文说的固定句子的中文；没有列出的照原样显示。
export const SAID = {
  "the treasury holds what it owes, to the micro": "金库持有其全部欠款，精确到微美元",
  "every unit is owed by a site, or waits in an offer": "每个单位都由某个站点承担，或在报盘中等待",
  "calendars hold what the sites' products hold": "日历与站点的产品一致",
  "no device-hour was sold twice": "没有任何设备小时被重复出售",
  "each round: as much bought as sold, nothing left over": "每一轮买卖相等，没有剩余",
  "every price is the rule's": "每个价格都符合规则",
  "nobody traded worse than their limit": "无人以劣于限价的价格成交",
  "bonds and leases paid what they held, by the rule": "保证金与租约按规则付清",
  "no claim on a bond was thinned": "保证金的任何份额都没有被稀释",
  "no slot was used again before it was settled": "结算之前没有槽位被再次使用",
  "the exchange holds the units that wait": "交易合约持有等待中的单位",
  "every signed order was placed once, in its epoch": "每个签名订单只在其纪元内下达一次",
  "nobody's cash or units went without their own act": "没有本人的行为，任何人的现金或单位都不会转出",
  "all money is somebody's who can still claim it": "所有资金都属于仍可领取的人",
  "delivery records are what the leases came to": "交付记录与租约结果一致",
  "every unit is somebody's": "每个单位都有归属",
  "every order was sent or signed by its owner": "每个订单都由其所有者发送或签名",
  "its bids wait to be cleared and settled": "等待其买单出清并结算",
  "its leases run": "其租约正在运行",
  "all is delivered, or too late": "全部已交付，或已过期限",
  "what no job needs is for sale": "任务不需要的部分正在转售",
  "it was stopped": "已被停止",
};

// 带有数值的句子：英文的样子，与中文的写法。
export const PATTERNS = [
  [/^no site has capacity of (.+)$/, "没有站点提供 $1"],
  [/^all ([\d,]+) unit-hours within its bounds are taken$/, "符合要求的 $1 单位·小时都已被占用"],
  [/^wants (\d+) hours, and only (\d+) with capacity lie within its bounds$/, "需要 $1 小时，符合要求且有供给的只有 $2 小时"],
  [/^needs ([\d,]+) at one site for (\d+) hours on end, the largest free is ([\d,]+)$/, "需要在一个站点连续 $2 小时各有 $1 单位，最大空闲为 $3"],
  [/^the nearest site with capacity is (\S+) ms away, asked (\S+) ms$/, "最近的有供给的站点时延 $1 毫秒，要求 $2 毫秒"],
  [/^the best grade with capacity is (\w+), asked (\w+)$/, "有供给的最高等级是 $1，要求 $2"],
  [/^the cheapest capacity costs (\S+) USD per unit-hour, the limit is (\S+) USD per unit-hour$/, "最便宜的供给每单位·小时 $1 美元，限价 $2 美元"],
  [/^the next capacity is at (.+) \((\S+) units? free\), the deadline is (.+)$/, "下一批供给在 $1（空闲 $2 单位），而期限是 $3"],
  [/^the last capacity is at (.+), the earliest start is (.+)$/, "最后一批供给在 $1，而最早开始时间是 $2"],
];

// 接口拒绝的种类：原因与办法；英文原句附在后面。
export const KINDS = {
  UnreadableText: ["这段文字读不懂。", "请参照下面的示例书写。"],
  UnknownName: ["没有这个名称。", "请检查拼写；下面列出相近的名称。"],
  OutOfRange: ["数值超出范围。", "请按下面的范围填写。"],
  BadJobs: ["有些作业读不懂。", "请修改下面列出的单元格。"],
  InputError: ["这个请求无法执行。", "原因与办法见下。"],
  NotAuthenticated: ["无法确认您的身份。", "请重新登录，或换一个有效的密钥。"],
  NotAllowed: ["您的账户不能这样做。", "原因与办法见下。"],
  NotThere: ["这里没有这样的东西。", "原因与办法见下。"],
  TooMany: ["请求太频繁。", "请稍等片刻再试。"],
  TooLarge: ["内容太长。", "请缩短后再试。"],
  Busy: ["同样的请求正在处理。", "请稍等片刻，再看结果。"],
  NotReady: ["市场的历史还没有读完。", "请稍等片刻再试。"],
  Unreachable: ["链上节点没有回答。", "请稍后再试；若一直如此，请告知市场运营者。"],
  NodeRefused: ["链上节点拒绝了请求。", "请再试一次；若一直如此，请告知市场运营者。"],
  StoreUnavailable: ["数据库没有回答。", "请稍后再试；若一直如此，请告知市场运营者。"],
  NotIncluded: ["交易还没有进入区块。", "它仍可能成功：请先查看持仓，再决定是否重发。"],
  KeyReused: ["同一个请求编号用于不同的内容。", "请再按一次按钮。"],
};
