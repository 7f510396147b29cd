//! What the demo's programs post: nothing but what can be computed.

use jiff::civil::Date;

/// The number's prime factors, rising.
fn factors(mut number: u64) -> Vec<u64> {
    let (mut found, mut factor) = (Vec::new(), 2);
    while factor * factor <= number {
        while number.is_multiple_of(factor) {
            found.push(factor);
            number /= factor;
        }
        factor += 1;
    }
    if number > 1 {
        found.push(number);
    }
    found
}

pub(super) fn is_prime(number: u64) -> bool {
    factors(number) == [number]
}

/// What a number is made of.
pub(super) fn factored(number: u64) -> String {
    if is_prime(number) {
        let below = (2..number).filter(|smaller| is_prime(*smaller)).count();
        return format!("{number} is prime; {below} primes are smaller. #primes");
    }
    let factors: Vec<String> = factors(number).iter().map(u64::to_string).collect();
    format!("{number} = {} #factors", factors.join(" · "))
}

/// Where a number goes when it is halved, or tripled and one added, until it is 1.
pub(super) fn collatz(number: u64) -> String {
    let (mut at, mut steps, mut highest) = (number, 0, number);
    while at != 1 {
        at = if at.is_multiple_of(2) { at / 2 } else { 3 * at + 1 };
        steps += 1;
        highest = highest.max(at);
    }
    format!("From {number} it takes {steps} steps to 1, by way of {highest}. #collatz")
}

/// A number in other ways of writing.
pub(super) fn written(number: u64) -> String {
    format!(
        "{number} is {number:b} in binary, {number:x} in hexadecimal, {} in Roman numerals. #numbers",
        roman(number)
    )
}

fn roman(mut number: u64) -> String {
    let mut text = String::new();
    for (value, letters) in [
        (1_000, "M"),
        (900, "CM"),
        (500, "D"),
        (400, "CD"),
        (100, "C"),
        (90, "XC"),
        (50, "L"),
        (40, "XL"),
        (10, "X"),
        (9, "IX"),
        (5, "V"),
        (4, "IV"),
        (1, "I"),
    ] {
        while number >= value {
            number -= value;
            text.push_str(letters);
        }
    }
    text
}

/// Where a day lies in its year.
pub(super) fn day(date: Date) -> String {
    let (year, day, days) = (date.year(), date.day_of_year(), date.days_in_year());
    let week = date.iso_week_date().week();
    format!("{date} is day {day} of {year}, in week {week}; {} are left. #calendar", days - day)
}

/// What can be said of any text.
pub(super) fn counted(text: &str) -> String {
    let letters = text.chars().filter(|letter| letter.is_alphabetic()).count();
    format!("I counted: {} words, {letters} letters.", text.split_whitespace().count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_are_true() {
        assert_eq!(factored(97), "97 is prime; 24 primes are smaller. #primes");
        assert_eq!(factored(360), "360 = 2 · 2 · 2 · 3 · 3 · 5 #factors");
        assert_eq!(collatz(27), "From 27 it takes 111 steps to 1, by way of 9232. #collatz");
        assert_eq!(
            written(1_994),
            "1994 is 11111001010 in binary, 7ca in hexadecimal, MCMXCIV in Roman numerals. #numbers"
        );
        let date = Date::constant(2024, 12, 30);
        assert_eq!(day(date), "2024-12-30 is day 365 of 2024, in week 1; 1 are left. #calendar");
        assert_eq!(counted("Two words."), "I counted: 2 words, 8 letters.");
    }
}
