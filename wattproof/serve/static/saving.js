// What a household could still have saved by neighbours instead of the grid, as far as they were there.
import { DISCOUNT } from "./words.js";

/** The service fee per Wh at a tier, in base units; the exact fee is rounded down once per trade. */
export const feeAt = (tier, tariff) => (BigInt(tariff.service_fee) * BigInt(100 - DISCOUNT * tier)) / 100n;

/** Over the half-hours of a household's bills, with the community's figures of the same half-hours:
 *
 * bought   Wh that it drew from the grid while neighbours had offered as much and nobody bought it
 * sold     Wh that it gave to the grid while neighbours drew as much from the grid
 * saving   what these would have saved at the mean price of the half-hour's quotes (buying) and trades (selling),
 *          less the fee
 */
export function couldSave(bills, periods, tier, tariff) {
  const fee = feeAt(tier, tariff);
  const [sbp, ssp] = [BigInt(tariff.sbp), BigInt(tariff.ssp)];
  const community = new Map(periods.map((row) => [row.period, row]));
  let [bought, sold, saving] = [0n, 0n, 0n];
  for (const bill of bills) {
    const row = community.get(bill.period);
    if (!row) continue;
    const drawn = least(bill.imported_wh - bill.bought_wh, row.unsold_wh);
    const gained = row.quote_price === null ? 0n : ssp - BigInt(row.quote_price) - fee;
    if (drawn > 0n && gained > 0n) {
      bought += drawn;
      saving += drawn * gained;
    }
    const given = least(bill.exported_wh - bill.sold_wh, row.imported_wh - row.local_wh);
    const earned = row.trade_price === null ? 0n : BigInt(row.trade_price) - sbp - fee;
    if (given > 0n && earned > 0n) {
      sold += given;
      saving += given * earned;
    }
  }
  return { bought, sold, saving };
}

const least = (one, other) => BigInt(Math.max(0, Math.min(one ?? 0, other ?? 0)));
