//! LDK's randomness, and the one call for which it is decided.
//!
//! LDK draws the key of each onion by itself, and tells nobody. Whoever decodes failures must know
//! it, and the preimage of an ECDH payment follows from it. LDK asks on its caller's thread, for a
//! route of one path: first for the session key, then for the filler of the packet.

use lightning::sign::{EntropySource, KeysManager};
use sponte_engine::backend::SessionKey;
use std::cell::RefCell;
use std::sync::Arc;

/// What `ChannelManager` draws from.
pub struct Entropy(Arc<KeysManager>);

/// What LDK drew within one call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Drawn {
    /// How often it drew; the first draw was the key.
    pub draws: usize,
}

impl Drawn {
    /// It drew as it does for a route of one path: the key, and filler, unless it came to no onion.
    pub(crate) fn is_one_onion(self) -> bool {
        self.draws == 1 || self.draws == 2
    }
}

struct Given {
    key: Option<SessionKey>,
    drawn: Drawn,
}

thread_local! {
    static GIVEN: RefCell<Option<Given>> = const { RefCell::new(None) };
}

/// Takes the key away, also if the call panics.
struct Guard;

impl Drop for Guard {
    fn drop(&mut self) {
        GIVEN.with_borrow_mut(|given| *given = None);
    }
}

impl Entropy {
    pub(crate) fn new(signer: Arc<KeysManager>) -> Entropy {
        Entropy(signer)
    }

    /// What is drawn first within the call, on this thread, is the key. The caller looks whether
    /// LDK drew as expected: what it did then cannot be taken back.
    pub(crate) fn with_session_key<T>(&self, key: SessionKey, call: impl FnOnce() -> T) -> (T, Drawn) {
        let _guard = Guard;
        GIVEN.with_borrow_mut(|given| *given = Some(Given { key: Some(key), drawn: Drawn::default() }));
        let result = call();
        let drawn = GIVEN.with_borrow(|given| given.as_ref().map(|given| given.drawn));
        (result, drawn.unwrap_or_default())
    }
}

impl EntropySource for Entropy {
    fn get_secure_random_bytes(&self) -> [u8; 32] {
        let key = GIVEN.with_borrow_mut(|given| {
            let given = given.as_mut()?;
            given.drawn.draws += 1;
            given.key.take()
        });
        key.map_or_else(|| self.0.get_secure_random_bytes(), |key| *key.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entropy() -> Entropy {
        Entropy::new(Arc::new(KeysManager::new(&[1; 32], 1, 1, true)))
    }

    #[test]
    fn the_key_is_drawn_once_and_within_the_call_only() {
        let entropy = entropy();
        let key = || SessionKey::from_bytes([7; 32]);
        let (drawn, count) =
            entropy.with_session_key(key(), || [(); 2].map(|()| entropy.get_secure_random_bytes()));
        assert_eq!(drawn[0], [7; 32]);
        assert_ne!(drawn[1], [7; 32]);
        assert!(count.is_one_onion(), "{count:?}");
        assert_ne!(entropy.get_secure_random_bytes(), [7; 32]);

        let ((), count) = entropy.with_session_key(key(), || ());
        assert!(!count.is_one_onion(), "{count:?}");
        assert_ne!(entropy.get_secure_random_bytes(), [7; 32], "a key that was not drawn is gone");

        let (_, count) =
            entropy.with_session_key(key(), || [(); 3].map(|()| entropy.get_secure_random_bytes()));
        assert!(!count.is_one_onion(), "{count:?}");
    }

    #[test]
    fn other_threads_draw_as_ever() {
        let entropy = entropy();
        let (other, count) = entropy.with_session_key(SessionKey::from_bytes([7; 32]), || {
            std::thread::scope(|scope| scope.spawn(|| entropy.get_secure_random_bytes()).join())
        });
        assert_ne!(other.expect("no panic"), [7; 32]);
        assert_eq!(count, Drawn::default());
    }

    #[test]
    fn a_panic_takes_the_key_with_it() {
        let entropy = entropy();
        let call = std::panic::AssertUnwindSafe(|| {
            entropy.with_session_key(SessionKey::from_bytes([7; 32]), || panic!("as a test"))
        });
        assert!(std::panic::catch_unwind(call).is_err());
        assert_ne!(entropy.get_secure_random_bytes(), [7; 32]);
    }
}
