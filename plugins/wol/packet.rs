//! The packet that wakes a card. Pure.

/// Six bytes of ones, and the address sixteen times.
pub(super) fn magic(card: [u8; 6]) -> Vec<u8> {
    [&[0xff; 6][..], &card.repeat(16)].concat()
}

/// The Ethernet addresses of a cell of table mac, which may hold several, as `MAC!host|MAC!host`.
pub(super) fn cards(cell: &str) -> Vec<[u8; 6]> {
    cell.split('|').filter_map(|part| card(part.split('!').next()?)).collect()
}

fn card(text: &str) -> Option<[u8; 6]> {
    let digits: String = text.chars().filter(|letter| !matches!(letter, ':' | '-')).collect();
    if digits.len() != 12 || !digits.is_ascii() {
        return None;
    }
    let mut card = [0; 6];
    for (byte, place) in card.iter_mut().zip((0..12).step_by(2)) {
        *byte = u8::from_str_radix(&digits[place..place + 2], 16).ok()?;
    }
    Some(card)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_packet_is_a_hundred_and_two_bytes() {
        let packet = magic([1, 2, 3, 4, 5, 6]);
        assert_eq!(
            (packet.len(), &packet[..8], &packet[96..]),
            (102, &[255, 255, 255, 255, 255, 255, 1, 2][..], &[1, 2, 3, 4, 5, 6][..])
        );
    }

    #[test]
    fn addresses_are_read_in_all_spellings() {
        let expected = vec![[0x02, 0x42, 0x0a, 0, 0, 7]];
        for text in ["02:42:0a:00:00:07", "02-42-0A-00-00-07", "02420a000007", "02:42:0a:00:00:07!*NOIP*"] {
            assert_eq!(cards(text), expected, "{text}");
        }
        assert_eq!(cards("02:42:0a:00:00:07!n1|02:42:0a:00:00:08!n1-ib").len(), 2);
    }

    proptest! {
        #[test]
        fn any_text_will_do(text: String) {
            cards(&text);
        }
    }
}
