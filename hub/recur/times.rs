//! Times within a day, or within an hour or a minute: every hour with every minute with every second.

/// Up to 86,400 times in three short lists.
#[derive(Clone, Debug)]
pub(crate) struct Times {
    hours: Vec<u8>,
    minutes: Vec<u8>,
    seconds: Vec<u8>,
}

impl Times {
    /// The lists are in order and none is empty.
    pub(crate) fn new(hours: Vec<u8>, minutes: Vec<u8>, seconds: Vec<u8>) -> Self {
        Self { hours, minutes, seconds }
    }

    pub(crate) fn len(&self) -> usize {
        self.hours.len() * self.minutes.len() * self.seconds.len()
    }

    /// The seconds of one of them, in order.
    pub(crate) fn get(&self, index: usize) -> i64 {
        let (minutes, seconds) = (self.minutes.len(), self.seconds.len());
        let hour = self.hours[index / (minutes * seconds)];
        let minute = self.minutes[index / seconds % minutes];
        let second = self.seconds[index % seconds];
        i64::from(hour) * 3600 + i64::from(minute) * 60 + i64::from(second)
    }
}

/// `BYSETPOS` within a set of that many: the places that it takes, in order.
pub(crate) fn places(positions: &[i16], length: usize) -> Vec<usize> {
    let place = |position: &i16| match usize::from(position.unsigned_abs()) {
        from_start if *position > 0 => from_start.checked_sub(1),
        from_end => length.checked_sub(from_end),
    };
    let mut places: Vec<usize> = positions.iter().filter_map(place).filter(|place| *place < length).collect();
    places.sort_unstable();
    places.dedup();
    places
}
