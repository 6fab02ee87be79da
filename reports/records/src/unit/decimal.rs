//! A decimal number as digits and scale, so that `0.1s` is exact.

/// `digits / 10^scale`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Decimal {
    digits: u64,
    scale: u32,
}

impl Decimal {
    /// Reads the number at the start of `text`; gives it and the rest. No sign, no exponent, no bare point, at most 18 digits.
    pub(super) fn read(text: &str) -> Option<(Self, &str)> {
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (number, rest) = text.split_at(end);
        let (whole, fraction) = match number.split_once('.') {
            Some((whole, fraction)) if !fraction.is_empty() => (whole, fraction),
            Some(_) => return None,
            None => (number, ""),
        };
        if whole.is_empty() || whole.len() + fraction.len() > 18 {
            return None;
        }
        let digits = format!("{whole}{fraction}").parse().ok()?;
        Some((Self { digits, scale: fraction.len() as u32 }, rest))
    }

    /// `self * size`, when that is a whole number.
    pub(super) fn times(self, size: u128) -> Option<u128> {
        let product = u128::from(self.digits) * size;
        let divisor = 10_u128.pow(self.scale);
        product.is_multiple_of(divisor).then(|| product / divisor)
    }

    /// `self / divisor` as the nearest float, when numerator and denominator are exact as floats.
    pub(super) fn over(self, divisor: u64) -> Option<f64> {
        const EXACT: u64 = 1 << 53;
        let denominator = 10_u64.checked_pow(self.scale)?.checked_mul(divisor)?;
        (self.digits <= EXACT && denominator <= EXACT).then(|| self.digits as f64 / denominator as f64)
    }
}

/// `value / size` as decimal text without trailing zeros; `size` is a power of ten or divides `value`.
pub(super) fn trim(value: u128, size: u128) -> String {
    let (whole, mut rest) = (value / size, value % size);
    let mut text = whole.to_string();
    let mut step = size;
    if rest > 0 {
        text.push('.');
    }
    while rest > 0 && step >= 10 {
        step /= 10;
        text.push(char::from(b'0' + (rest / step).min(9) as u8));
        rest %= step;
    }
    text
}
