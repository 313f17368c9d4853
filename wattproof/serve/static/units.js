// Money and energy, exact: base units, Wh and base units per Wh are BigInts, and no float ever holds an amount.
// What wattproof/market/units.py and tokens.py do in Python.

const WH_PER_KWH = 1000n;
const NOTHING = "–"; // what is not known yet

/** How the amounts of one market are written. `everyDecimal`: nothing is rounded. */
export class Units {
  /** `decimals` of the token (null: not known), its symbol, the highest price (SSP) in base units per Wh. */
  constructor(decimals, symbol, highest, everyDecimal = false) {
    this.symbol = symbol;
    this.everyDecimal = everyDecimal;
    const penny = decimals === null || decimals < 5 ? null : 10n ** BigInt(decimals - 2);
    // So small prices would be rows of noughts in pence and kWh: such a market is shown in base units and Wh.
    this.counted = penny === null || highest * WH_PER_KWH * 1000n < penny;
    this.penny = penny ?? 1n;
  }

  /** Base units as "12.34 p". */
  money(baseUnits) {
    return this.#with(this.bareMoney(baseUnits), this.moneyUnit);
  }

  /** Base units per Wh as "7.35 p/kWh". */
  price(perWh) {
    return this.#with(this.barePrice(perWh), this.priceUnit);
  }

  /** Wh as "1.234 kWh". */
  energy(wh) {
    return this.#with(this.bareEnergy(wh), this.energyUnit);
  }

  // The same without the unit, for columns that name it.

  bareMoney(baseUnits) {
    const amount = big(baseUnits);
    if (amount === null) return NOTHING;
    if (this.counted) return grouped(amount);
    return this.everyDecimal ? exactly(amount, this.penny) : fixed(amount, this.penny, 2);
  }

  barePrice(perWh) {
    const amount = big(perWh);
    return amount === null ? NOTHING : this.bareMoney(this.counted ? amount : amount * WH_PER_KWH);
  }

  bareEnergy(wh) {
    const amount = big(wh);
    if (amount === null) return NOTHING;
    return this.counted ? grouped(amount) : fixed(amount, WH_PER_KWH, 3);
  }

  #with(number, unit) {
    return number === NOTHING ? NOTHING : `${number} ${unit}`;
  }

  /** A price for an axis: a number, for drawing only. */
  drawnPrice(perWh) {
    return this.counted ? Number(perWh) : this.drawnMoney(big(perWh) * WH_PER_KWH);
  }

  /** An energy for an axis: a number, for drawing only. */
  drawnEnergy(wh) {
    return this.counted ? Number(wh) : Number(wh) / 1000;
  }

  /** A sum of money for an axis: a number, for drawing only. */
  drawnMoney(baseUnits) {
    if (this.counted) return Number(baseUnits);
    return Number(fixed(big(baseUnits), this.penny, 4).replace("−", "-").replaceAll(",", ""));
  }

  get moneyUnit() {
    return this.counted ? "base units" : "p";
  }

  get priceUnit() {
    return this.counted ? "base units/Wh" : "p/kWh";
  }

  get energyUnit() {
    return this.counted ? "Wh" : "kWh";
  }
}

/** A whole number that arrived as a string, a number or a BigInt; null stays null. */
export function big(value) {
  return value === null || value === undefined || value === "" ? null : BigInt(value);
}

/** value / scale with so many decimals, to the nearest, halves away from zero; zero has no sign. */
export function fixed(value, scale, decimals) {
  const unit = 10n ** BigInt(decimals);
  const size = value < 0n ? -value : value;
  const rounded = (2n * size * unit + scale) / (2n * scale);
  const sign = value < 0n && rounded ? "−" : "";
  const part = decimals ? `.${(rounded % unit).toString().padStart(decimals, "0")}` : "";
  return `${sign}${grouped(rounded / unit)}${part}`;
}

/** value / scale, a power of ten, with as many decimals as that takes, two at least: nothing is rounded. */
export function exactly(value, scale) {
  let decimals = 2;
  while ((value * 10n ** BigInt(decimals)) % scale) decimals += 1;
  return fixed(value, scale, decimals);
}

/** numerator / denominator as "17.0 %"; null where there is nothing to divide by. */
export function percent(numerator, denominator, decimals = 1) {
  return denominator === null || denominator === 0n ? null : `${fixed(numerator * 100n, denominator, decimals)} %`;
}

/** The same of what the API says, with a dash where there is nothing to tell. */
export function share(part, whole) {
  return part === null || whole === null ? NOTHING : percent(big(part), big(whole)) ?? NOTHING;
}

/** A whole number with thousands set apart by commas. */
export function grouped(number) {
  return number.toString().replace(/\B(?=(\d{3})+$)/g, ",").replace(/^-/, "−");
}

/** "1 bid", "2 bids". */
export function counted(number, what) {
  return `${grouped(number)} ${what}${number === 1 || number === 1n || number === -1n ? "" : "s"}`;
}
