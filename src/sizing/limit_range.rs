//! LimitRanges: composed per namespace, checked as the API server does.
