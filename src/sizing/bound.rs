//! What decided the sizes of a plan.

use crate::vocabulary::vocabulary;

vocabulary! {
    /// What decided the sizes of a plan.
    Bound {
        SafetyNet => "The request is one step below the declared total, so that the kubelet grants swap.",
        WorkingSet => "The working set with its margin must stay in memory.",
        PeakOverSwap => "The peak with its margin must fit the request plus the granted swap.",
        MinimumRequest => "The class sets a minimum request.",
        LimitRange => "A LimitRange of the namespace decided.",
        Received => "The request as received decided.",
        Growth => "The growth that was asked for is reached.",
        SwapSpent => "The growth was cut to what the granted swap backs.",
        CompressedOops => "The heap stays below 32 GiB, where the JVM can use compressed pointers.",
        GainTooSmall => "The request would hardly shrink, so the plan is only a safety net.",
        NoRoomToGrow => "The granted swap backs no larger heap, so the plan is only a safety net.",
        UnswappableMemory => "Part of the memory cannot be swapped and has no known size, so the plan is only a safety net.",
    }
}
