//! The CustomResourceDefinition of SwapClass in a real API server.

use crate::classes::swap_class_crd;
use crate::control_plane::ControlPlane;

#[test]
fn the_examples_are_accepted() {
    let cluster = ControlPlane::shared();
    swap_class_crd(cluster);
    cluster.kubectl(&["apply", "-f", "examples/classes", "--dry-run=server"]);
}
