//! Programs without a browser (RFC 8628): the twin types a short code elsewhere, and the program asks now and
//! then whether that has happened.

use std::collections::HashMap;

use super::grants::Given;
use super::token;
use super::{Client, Issued};
use crate::{AccountId, Error, Hub, Result, Scopes, Secret, locked, password, unix_now};

/// Seconds for which a code can be typed.
const LIFE: i64 = 15 * 60;
/// Seconds between two questions of a program, and what is added when it asks sooner (RFC 8628 §3.5).
const INTERVAL: i64 = 5;
/// Devices that wait at most.
const DEVICES: usize = 10_000;
/// RFC 8628 §6.1: no vowels, so no words, and nothing that looks like a digit.
const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
/// 20^8 are 34.5 bits: with [`DEVICES`] waiting, one guess in two million hits one of them.
const CODE_LETTERS: usize = 8;

/// What a device is told (RFC 8628 §3.2).
#[derive(Clone, Debug)]
pub struct DeviceRequest {
    pub device_code: Secret,
    pub user_code: String,
    /// Seconds.
    pub expires_in: i64,
    /// Seconds.
    pub interval: i64,
}

/// Why a device has no tokens (RFC 8628 §3.5).
#[derive(Debug)]
pub enum Poll {
    Denied,
    Expired,
    Pending,
    TooSoon,
    Failed(Error),
}

impl Hub {
    /// A device wants tokens. `Forbidden` if it asks for nothing, `Limit`.
    pub fn begin_device(&self, client: Client, scopes: Scopes) -> Result<DeviceRequest> {
        if scopes.is_empty() {
            return Err(Error::Forbidden("nothing is asked for"));
        }
        let device_code = token::new_code()?;
        let user_code = new_user_code()?;
        let device = Device::new(client, scopes, token::hash(&device_code), unix_now());
        locked(&self.0.oauth.devices).add(user_code.clone(), device, unix_now())?;
        let (expires_in, interval) = (LIFE, INTERVAL);
        Ok(DeviceRequest { device_code: Secret::new(device_code), user_code, expires_in, interval })
    }

    /// Who waits for this code, and for what. `NotFound`.
    pub fn waiting_device(&self, user_code: &str) -> Result<(Client, Scopes)> {
        let devices = locked(&self.0.oauth.devices);
        let device = devices.waiting(&normal_code(user_code), unix_now()).ok_or(Error::NotFound("code"))?;
        Ok((device.client.clone(), device.scopes))
    }

    /// A twin lets the device in that waits for this code, to do `scopes` of what it asked for.
    /// `BadCredentials`, `NotFound`, `Forbidden`.
    pub async fn approve_device(
        &self,
        login: &str,
        password: &Secret,
        user_code: &str,
        scopes: Scopes,
    ) -> Result<()> {
        let (client, asked) = self.waiting_device(user_code)?;
        let given = self.given(login, password, &client, scopes.common(asked)).await?;
        locked(&self.0.oauth.devices).answer(user_code, Answer::Approved(given), unix_now())
    }

    /// Whoever knows the code may refuse it. `NotFound`.
    pub fn deny_device(&self, user_code: &str) -> Result<()> {
        locked(&self.0.oauth.devices).answer(user_code, Answer::Denied, unix_now())
    }

    /// A device asks whether it was let in.
    pub async fn poll_device(&self, client: &str, device_code: &Secret) -> Result<Issued, Poll> {
        let (hash, now) = (token::hash(device_code.expose()), unix_now());
        let given = locked(&self.0.oauth.devices).poll(client, &hash, now)?;
        let issued = self.issue(given, now).await;
        issued.map(|(_, issued)| issued).map_err(Poll::Failed)
    }
}

struct Device {
    client: Client,
    scopes: Scopes,
    /// Of the code that it asks with.
    hash: [u8; 32],
    made_at: i64,
    /// When it may ask next.
    next_at: i64,
    interval: i64,
    answer: Option<Answer>,
}

enum Answer {
    Approved(Given),
    Denied,
}

impl Device {
    fn new(client: Client, scopes: Scopes, hash: [u8; 32], now: i64) -> Self {
        Self { client, scopes, hash, made_at: now, next_at: now, interval: INTERVAL, answer: None }
    }

    fn is_over(&self, now: i64) -> bool {
        now >= self.made_at + LIFE
    }
}

/// By the codes that twins type, in normal form.
#[derive(Default)]
pub(super) struct Devices {
    by_code: HashMap<String, Device>,
    codes: HashMap<[u8; 32], String>,
}

impl Devices {
    pub(super) fn forget(&mut self, account: AccountId) {
        for device in self.by_code.values_mut() {
            if matches!(&device.answer, Some(Answer::Approved(given)) if given.account == account) {
                device.answer = Some(Answer::Denied);
            }
        }
    }

    fn add(&mut self, user_code: String, device: Device, now: i64) -> Result<()> {
        if self.by_code.len() >= DEVICES {
            self.by_code.retain(|_, device| !device.is_over(now));
            let Self { by_code, codes } = self;
            codes.retain(|_, code| by_code.contains_key(code));
        }
        let code = normal_code(&user_code);
        if self.by_code.len() >= DEVICES || self.by_code.contains_key(&code) {
            return Err(Error::Limit("devices that wait for their twins"));
        }
        self.codes.insert(device.hash, code.clone());
        self.by_code.insert(code, device);
        Ok(())
    }

    fn waiting(&self, code: &str, now: i64) -> Option<&Device> {
        self.by_code.get(code).filter(|device| device.answer.is_none() && !device.is_over(now))
    }

    fn answer(&mut self, user_code: &str, answer: Answer, now: i64) -> Result<()> {
        let device = self.by_code.get_mut(&normal_code(user_code));
        let device = device.filter(|device| device.answer.is_none() && !device.is_over(now));
        device.ok_or(Error::NotFound("code"))?.answer = Some(answer);
        Ok(())
    }

    /// What was given, once.
    fn poll(&mut self, client: &str, hash: &[u8; 32], now: i64) -> Result<Given, Poll> {
        let code = self.codes.get(hash).ok_or(Poll::Expired)?;
        let device = self.by_code.get_mut(code).filter(|device| device.client.id == client);
        let device = device.ok_or(Poll::Expired)?;
        if !device.is_over(now) && device.answer.is_none() {
            let soon = now < device.next_at;
            device.interval += if soon { INTERVAL } else { 0 };
            device.next_at = now + device.interval;
            return Err(if soon { Poll::TooSoon } else { Poll::Pending });
        }
        let code = self.codes.remove(hash).unwrap_or_default();
        match self.by_code.remove(&code).filter(|device| !device.is_over(now)).and_then(|d| d.answer) {
            Some(Answer::Approved(given)) => Ok(given),
            Some(Answer::Denied) => Err(Poll::Denied),
            None => Err(Poll::Expired),
        }
    }
}

/// `BCDF-GHJK`
fn new_user_code() -> Result<String> {
    let mut code = String::with_capacity(CODE_LETTERS + 1);
    while code.len() <= CODE_LETTERS {
        let mut byte = [0];
        password::random(&mut byte)?;
        // 240 is the largest multiple of 20: every letter is as likely as any other.
        if byte[0] < 240 {
            code.push(char::from(LETTERS[usize::from(byte[0] % 20)]));
            if code.len() == CODE_LETTERS / 2 {
                code.push('-');
            }
        }
    }
    Ok(code)
}

/// RFC 8628 §6.1: whatever is not a letter of a code was typed for the eye.
fn normal_code(typed: &str) -> String {
    let letters = typed.bytes().map(|b| b.to_ascii_uppercase()).filter(|b| LETTERS.contains(b));
    letters.take(CODE_LETTERS + 1).map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::AccountId;

    fn client(id: &str) -> Client {
        Client { id: id.into(), name: "TV".into(), redirect_uris: vec![] }
    }

    fn devices() -> Devices {
        let mut devices = Devices::default();
        let device = Device::new(client("c"), Scopes::MAIL_READ, [1; 32], 1000);
        devices.add("WDJB-MJHT".into(), device, 1000).expect("room");
        devices
    }

    fn approved() -> Answer {
        let (account, client, client_name) = (AccountId(1), "c".into(), "TV".into());
        Answer::Approved(Given { account, client, client_name, scopes: Scopes::MAIL_READ })
    }

    #[test]
    fn codes_are_typed_freely() {
        let code = new_user_code().expect("random");
        assert_eq!((code.len(), code.find('-')), (9, Some(4)));
        for typed in ["WDJB-MJHT", "wdjbmjht", " WDJB mjht "] {
            assert_eq!(normal_code(typed), "WDJBMJHT");
            assert!(devices().waiting(&normal_code(typed), 1000).is_some());
        }
        assert!(devices().waiting("", 1000).is_none());
    }

    #[test]
    fn a_device_waits_for_its_twin() {
        let mut devices = devices();
        assert!(matches!(devices.poll("c", &[1; 32], 1000), Err(Poll::Pending)));
        assert!(matches!(devices.poll("c", &[1; 32], 1004), Err(Poll::TooSoon)));
        assert!(matches!(devices.poll("c", &[1; 32], 1013), Err(Poll::TooSoon)), "slower now");
        assert!(matches!(devices.poll("d", &[1; 32], 1100), Err(Poll::Expired)), "another program");
        assert!(matches!(devices.poll("c", &[2; 32], 1100), Err(Poll::Expired)), "another device");
        devices.answer("wdjb-mjht", approved(), 1100).expect("waits");
        assert!(devices.answer("wdjb-mjht", Answer::Denied, 1100).is_err(), "answered");
        assert!(devices.poll("c", &[1; 32], 1100).is_ok(), "it is not told to wait when there is an answer");
        assert!(matches!(devices.poll("c", &[1; 32], 1200), Err(Poll::Expired)), "once");
    }

    #[test]
    fn a_device_is_refused_or_comes_too_late() {
        let mut refused = devices();
        refused.answer("WDJB-MJHT", Answer::Denied, 1000).expect("waits");
        assert!(matches!(refused.poll("c", &[1; 32], 1000), Err(Poll::Denied)));
        let mut late = devices();
        assert!(late.answer("WDJB-MJHT", approved(), 1000 + LIFE).is_err());
        assert!(matches!(late.poll("c", &[1; 32], 1000 + LIFE), Err(Poll::Expired)));
    }
}
