//! Certificates that nobody has to think about: one Secret is the truth, every replica watches it, and a new authority
//! is published, confirmed and waited for before anything relies on it.
//!
//! [`rotation`] decides the next [`step`] and [`change`] makes the new contents of the Secret; both are pure. [`material`]
//! is what a Secret holds, [`secret`] how it is written there, [`bundle`] what the API servers trust, and
//! [`authority`] signs.

pub mod authority;
pub mod bundle;
pub mod certificate;
pub mod change;
pub mod material;
pub mod policy;
pub mod rotation;
pub mod secret;
pub mod step;

pub use self::bundle::{Bundle, Published};
pub use self::change::{CarryOutError, carry_out};
pub use self::material::{Held, Kept, Material};
pub use self::policy::RotationPolicy;
pub use self::rotation::{adopt, plan_rotation};
pub use self::step::{Change, Step, Wait, Why};
