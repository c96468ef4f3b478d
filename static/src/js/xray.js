// Loaded when the X-ray is opened for the first time, or when a drawing of the lesson shows the reader's sandbox.
export { Live } from "./xray/live.js";
export { Panel } from "./xray/panel.js";
