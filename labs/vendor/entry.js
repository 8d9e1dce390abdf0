// What the labs use of d3; `bundle.sh` makes d3.js of it.
export { quantileSorted } from "d3-array";
export { axisBottom, axisLeft } from "d3-axis";
export { drag } from "d3-drag";
export { scaleLinear, scaleLog } from "d3-scale";
export { select } from "d3-selection";
export { area, line } from "d3-shape";
