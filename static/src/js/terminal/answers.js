// What a terminal says by itself when a program asks it: device attributes, status, the cursor's place, modes, sizes,
// colours, strings (xterm's ctlseqs). Keys have other forms: CSI A, CSI 3 ~, CSI 1 ; 5 C, ESC O P.
const ANSWER = /^(?:\x1b\[[?>=]?[\d;]*\$?[cnRty]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1bP[^\x1b]*\x1b\\)+$/;

export const isAnswer = (text) => ANSWER.test(text);
