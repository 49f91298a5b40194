// What hardly changes while the page is open: the deployment, the classes, devices and areas of the standard.
import { facts, get } from "/web/http.js";

const TIERS = { METRO: 10, HUB: 20, WIDE: 100 };
const GRADES = { BASIC: 9500, STANDARD: 9900, PREMIUM: 9990 };

let deployment = null;
let standard = { classes: [], devices: [], areas: [] };

/** Asks for both once; later calls give what came. */
export async function loadMarket() {
  if (deployment) return;
  const [where, what] = await Promise.all([get("/deployment"), get("/standard")]);
  deployment = facts(where);
  standard = facts(what);
}

export const market = () => deployment ?? { terms: {}, addresses: {}, faucet: false };
export const classes = () => standard.classes ?? [];
export const devices = () => standard.devices ?? [];
export const areas = () => standard.areas ?? [];
export const areaOf = (code) => areas().find((area) => area.code === code) ?? null;
export const hubOf = (code) => {
  const area = areaOf(code);
  return !area || area.is_hub ? area : areaOf(area.hub);
};

export const tiers = () => Object.keys(TIERS);
export const grades = () => Object.keys(GRADES);
export const latencyOf = (tier) => TIERS[tier];
export const promiseOf = (grade) => GRADES[grade];
/** The class called `name`; the API says the name under `class`. */
export const classOf = (name) => classes().find((each) => each.class === name) ?? null;
export const roundSeconds = () => market().terms.round_s ?? 60;
