/* What `lightning/modal` does, as far as a unit test asks: it opens as the test says, and remembers how it was closed. */
import { LightningElement, api } from 'lwc';

export default class LightningModal extends LightningElement {
    @api label;
    @api size;

    static open = jest.fn();

    close(result) {
        this.dispatchEvent(new CustomEvent('close', { detail: result }));
    }
}
