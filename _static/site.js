// A page opened from a disk may not read other pages, which is how the search
// makes its excerpts; without them it works.
if (location.protocol === "file:") DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;
