// What the market's words mean, for somebody who reads them for the first time.

export const PHASES = {
  BIDDING: { short: "Bid", says: "households quote what they will have over, and hand in sealed bids" },
  REVEALING: { short: "Open", says: "bidders open their sealed bids" },
  MATCHING: { short: "Match", says: "bids are matched; what is left can be bought at the quote's price" },
  DELIVERING: { short: "Deliver", says: "the energy flows" },
  METERING: { short: "Meter", says: "smart meters report; excess can still be bought" },
  SETTLING: { short: "Settle", says: "payments, fees and compensation are settled" },
  CLOSING: { short: "Closed", says: "over: what is not settled yet, anybody may settle" },
};

export const QUOTE = {
  VALID: ["open", "not matched yet"],
  INVALID: ["withdrawn", "taken back by its prosumer"],
  MATCHED: ["matched", "sold, not settled yet"],
  SETTLED: ["settled", "delivered and paid"],
};

export const BID = {
  CREATED: ["sealed", "price and volume are hidden until it is opened"],
  RESERVED: ["opened", "not matched yet"],
  CONFIRMED: ["won", "it bought energy"],
  REJECTED: ["lost", "it bought nothing and cost nothing"],
};

export const KIND = { bid: "by bid", surplus: "of what was left" };

export const ROLE = { household: "Household", owner: "Owner", supplier: "Supplier", other: "Account" };

/** Discount on the service fee in percent, and the good performances that each tier takes (T-STD-3, T-STD-2). */
export const DISCOUNT = 20;
export const TIERS = [0, 5, 10, 20, 40, 80];

export const INDEX = {
  value_tapping: "Value tapped",
  participation_willingness: "Households that gain",
  equality_market: "Equality, with the market",
  equality_alone: "Equality, grid alone",
  local_share: "Local share",
  sdr: "Supply-demand ratio",
  energy_balance: "Energy balance",
  self_sufficiency: "Self-sufficiency",
};
