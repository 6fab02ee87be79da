//! Amounts, fee rates, prices and times, as people write them: with their units.

use std::time::Duration;

use bitcoin::{Amount, Denomination, FeeRate};
use darkswap_trade::order::Price;
use darkswap_trade::rune::amount::Decimal;

/// From here on amounts are shown in bitcoin.
const LARGE: Amount = Amount::from_sat(100_000);

/// Satoshis per 1,000 weight units in one satoshi per virtual byte (BIP 141).
const KWU_PER_VB: u64 = 250;

/// Decimals of a fee rate: one more than what 1/250 has would be lost.
const RATE_DECIMALS: usize = 3;

/// The payment for everything, or for some.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Payment {
    pub(crate) amount: Amount,
    /// For how much, as it was typed.
    pub(crate) part: Option<String>,
}

/// `0.001btc`, `1500sat`.
pub(crate) fn amount(text: &str) -> Result<Amount, String> {
    let lower = text.trim().to_ascii_lowercase();
    let (number, unit) = if let Some(number) = lower.strip_suffix("btc") {
        (number, Denomination::Bitcoin)
    } else if let Some(number) = lower.strip_suffix("sats").or_else(|| lower.strip_suffix("sat")) {
        (number, Denomination::Satoshi)
    } else {
        return Err("found no unit, expected for example 0.001btc or 1500sat".to_owned());
    };
    let amount = Amount::from_str_in(number.trim_end(), unit)
        .map_err(|error| format!("{error}; expected for example 0.001btc or 1500sat"))?;
    if amount > Amount::MAX_MONEY {
        return Err(format!("found more than there are bitcoin ({})", shown(Amount::MAX_MONEY)));
    }
    Ok(amount)
}

/// `1500sat/1000`, or an amount for everything.
pub(crate) fn payment(text: &str) -> Result<Payment, String> {
    let (paid, part) = match text.split_once('/') {
        None => (text, None),
        Some((paid, part)) => {
            let part = part.trim();
            let is_number = part.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
            if !is_number || part.bytes().all(|byte| matches!(byte, b'0' | b'.')) {
                return Err(format!("found `{part}` behind the slash, expected a number as in 1500sat/1000"));
            }
            (paid, Some(part.to_owned()))
        }
    };
    let amount = amount(paid)?;
    if amount == Amount::ZERO {
        return Err("found a price of nothing, expected at least 1sat".to_owned());
    }
    Ok(Payment { amount, part })
}

/// `5`, `2.5sat/vb`.
pub(crate) fn fee_rate(text: &str) -> Result<FeeRate, String> {
    let lower = text.trim().to_ascii_lowercase();
    let number = lower.strip_suffix("sat/vb").unwrap_or(&lower).trim_end();
    let wrong = || format!("found `{text}`, expected for example 5sat/vb or 2.5sat/vb");
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) || fraction.len() > RATE_DECIMALS {
        return Err(wrong());
    }
    let thousandths = format!("{whole}{fraction:0<RATE_DECIMALS$}").parse::<u64>().map_err(|_| wrong())?;
    let rate = thousandths.checked_mul(KWU_PER_VB).ok_or_else(wrong)? / 1_000;
    if rate == 0 { Err(wrong()) } else { Ok(FeeRate::from_sat_per_kwu(rate)) }
}

/// `90s`, `30m`, `6h`, `1d`.
pub(crate) fn time(text: &str) -> Result<Duration, String> {
    let wrong = || format!("found `{text}`, expected for example 90m or 6h");
    let text = text.trim();
    let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(wrong)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err(wrong()),
    };
    if !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong());
    }
    let total = number.parse::<u64>().ok().and_then(|number| number.checked_mul(seconds)).ok_or_else(wrong)?;
    if total == 0 { Err(wrong()) } else { Ok(Duration::from_secs(total)) }
}

/// An amount, in a form that can be typed.
pub(crate) fn shown(amount: Amount) -> String {
    if amount < LARGE {
        format!("{}sat", amount.to_sat())
    } else {
        format!("{}btc", amount.to_string_in(Denomination::Bitcoin))
    }
}

/// A price, in a form that can be typed; with as many decimals as the asset has.
pub(crate) fn shown_price(price: Price, divisibility: u8) -> String {
    let units = Decimal { units: price.units, divisibility };
    format!("{}/{units}", shown(Amount::from_sat(price.sats)))
}

/// A time to go, roughly.
pub(crate) fn remaining(seconds: u64) -> String {
    match seconds {
        0 => "over".to_owned(),
        1..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m", seconds / 60),
        _ => format!("{}h{:02}m", seconds / 3_600, seconds % 3_600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn amounts_have_units_and_nothing_is_guessed() {
        assert_eq!(amount("0.001btc"), Ok(Amount::from_sat(100_000)));
        assert_eq!(amount("1500sat"), Ok(Amount::from_sat(1_500)));
        assert_eq!(amount("1 BTC"), Ok(Amount::ONE_BTC));
        for wrong in ["", "1", "0.5sat", "-1sat", "sat", "btc", "1e3sat", "0.000000001btc", "21000001btc", "1mbtc"] {
            let refused = amount(wrong).unwrap_err();
            assert!(refused.contains("expected") || refused.contains("more than"), "{wrong}: {refused}");
        }
    }

    #[test]
    fn prices_are_for_all_units_or_for_some() {
        let amount = Amount::from_sat(1_500);
        assert_eq!(payment("1500sat"), Ok(Payment { amount, part: None }));
        assert_eq!(payment("1500sat/0.5"), Ok(Payment { amount, part: Some("0.5".to_owned()) }));
        for wrong in ["150sat/0", "150sat/0.0", "150sat/", "150sat/x", "150sat/-1", "0sat"] {
            assert!(payment(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn fee_rates_are_in_satoshis_per_virtual_byte() {
        assert_eq!(fee_rate("5sat/vb"), Ok(FeeRate::from_sat_per_kwu(1_250)));
        assert_eq!(fee_rate("2.5"), Ok(FeeRate::from_sat_per_kwu(625)));
        for wrong in ["", "0", "sat/vb", "-1", "1.2345", "1e3", "99999999999999999999", "0.001", ".5"] {
            assert!(fee_rate(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn times_have_units() {
        assert_eq!(time("90m"), Ok(Duration::from_secs(5_400)));
        assert_eq!(time("1d"), Ok(Duration::from_secs(86_400)));
        for wrong in ["", "h", "6", "0h", "-1h", "6hh", "é", "99999999999999999d"] {
            assert!(time(wrong).is_err(), "{wrong}");
        }
        assert_eq!((remaining(0), remaining(61), remaining(7_260)), ("over".into(), "1m".into(), "2h01m".into()));
    }

    #[test]
    fn prices_are_shown_in_decimals() {
        let price = Price { sats: 150, units: 25 };
        assert_eq!((shown_price(price, 0), shown_price(price, 2)), ("150sat/25".to_owned(), "150sat/0.25".to_owned()));
    }

    proptest! {
        #![proptest_config(crate::cases())]
        #[test]
        fn what_is_shown_can_be_typed(sats in 0..=Amount::MAX_MONEY.to_sat(), text in "\\PC{0,12}") {
            let one = Amount::from_sat(sats);
            prop_assert_eq!(amount(&shown(one)), Ok(one));
            let _ = (amount(&text), payment(&text), fee_rate(&text), time(&text));
        }
    }
}
