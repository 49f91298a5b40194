// 地点的中文名；没有列出的用标准中的名字。
export const PLACES = {
  "US-East": "美国东部", "US-South": "美国南部", "US-Florida": "佛罗里达", "US-Central": "美国中部", "US-Northwest": "美国西北", "US-Southwest": "美国西南", "US-Hawaii": "夏威夷",
  "N. Virginia": "北弗吉尼亚", "Ohio": "俄亥俄", "South Carolina": "南卡罗来纳", "Montreal": "蒙特利尔", "Toronto": "多伦多", "Chicago": "芝加哥", "New York": "纽约", "Boston": "波士顿", "Philadelphia": "费城", "Detroit": "底特律",
  "Dallas": "达拉斯", "Houston": "休斯敦", "Atlanta": "亚特兰大", "Nashville": "纳什维尔", "Charlotte": "夏洛特", "Miami": "迈阿密", "Tampa": "坦帕", "Iowa": "艾奥瓦", "Kansas City": "堪萨斯城", "Minneapolis": "明尼阿波利斯", "Denver": "丹佛",
  "Oregon": "俄勒冈", "The Dalles": "达尔斯", "Portland": "波特兰", "Seattle": "西雅图", "N. California": "北加利福尼亚", "Los Angeles": "洛杉矶", "Las Vegas": "拉斯维加斯", "Phoenix": "凤凰城", "Honolulu": "檀香山",
  "MX-Central": "墨西哥中部", "Querétaro": "克雷塔罗", "BR-South": "巴西南部", "São Paulo": "圣保罗", "CL-Central": "智利中部", "Santiago": "圣地亚哥", "PE-Coast": "秘鲁沿海", "Lima": "利马",
  "EU-West": "西欧", "EU-Central": "中欧", "EU-North": "北欧", "EU-South": "南欧", "Dublin": "都柏林", "London": "伦敦", "Manchester": "曼彻斯特", "Paris": "巴黎", "Amsterdam": "阿姆斯特丹", "Eemshaven": "埃姆斯港", "Saint-Ghislain": "圣吉兰",
  "Frankfurt": "法兰克福", "Zurich": "苏黎世", "Milan": "米兰", "Berlin": "柏林", "Munich": "慕尼黑", "Dortmund": "多特蒙德", "Hamburg": "汉堡", "Warsaw": "华沙", "Stockholm": "斯德哥尔摩", "Gävle": "耶夫勒", "Oslo": "奥斯陆", "Helsinki": "赫尔辛基", "Hamina": "哈米纳", "Copenhagen": "哥本哈根", "Zaragoza": "萨拉戈萨",
  "AF-North": "北非", "Casablanca": "卡萨布兰卡", "AF-West": "西非", "Dakar": "达喀尔", "AF-Guinea": "几内亚湾", "Lagos": "拉各斯", "AF-South": "南非", "Cape Town": "开普敦", "Johannesburg": "约翰内斯堡",
  "IL-Central": "以色列中部", "Tel Aviv": "特拉维夫", "ME-Gulf": "海湾地区", "Bahrain": "巴林", "Dubai": "迪拜", "Muscat": "马斯喀特", "IN-West": "印度西部", "Mumbai": "孟买", "Pune": "浦那", "Hyderabad": "海得拉巴", "Delhi": "德里", "IN-East": "印度东部", "Kolkata": "加尔各答",
  "Asia-Southeast": "东南亚", "Singapore": "新加坡", "Jakarta": "雅加达", "Kuala Lumpur": "吉隆坡", "Asia-Indochina": "中南半岛", "Bangkok": "曼谷", "Asia-East": "东亚", "Hong Kong": "香港", "Taipei": "台北", "Changhua": "彰化", "Asia-Philippines": "菲律宾", "Manila": "马尼拉",
  "Asia-Northeast": "东北亚", "Tokyo": "东京", "Osaka": "大阪", "Seoul": "首尔", "Cheongju": "清州", "AU-East": "澳大利亚东部", "Sydney": "悉尼", "Melbourne": "墨尔本", "AU-West": "澳大利亚西部", "Perth": "珀斯", "NZ-North": "新西兰北岛", "Auckland": "奥克兰",
  "Jing-Jin-Ji": "京津冀", "Zhangjiakou": "张家口", "Beijing": "北京", "Yangtze Delta": "长三角", "Qingpu": "青浦", "Wuhu": "芜湖", "Shanghai": "上海", "Hangzhou": "杭州", "Nanjing": "南京", "Qingdao": "青岛", "Greater Bay": "粤港澳大湾区", "Shaoguan": "韶关", "Guangzhou": "广州", "Shenzhen": "深圳", "Heyuan": "河源",
  "Chengdu-Chongqing": "成渝", "Chengdu": "成都", "Chongqing": "重庆", "Guizhou": "贵州", "Guian": "贵安", "Inner Mongolia": "内蒙古", "Horinger": "和林格尔", "Ulanqab": "乌兰察布", "Gansu": "甘肃", "Qingyang": "庆阳", "Ningxia": "宁夏", "Zhongwei": "中卫",
};
