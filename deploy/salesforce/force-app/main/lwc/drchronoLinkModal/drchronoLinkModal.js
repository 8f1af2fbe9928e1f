import { api } from 'lwc';
import LightningModal from 'lightning/modal';

/**
 * Asks whether a record is to be linked or unlinked, and says what that means.
 *
 * Closes with the typed DrChrono patient id, with true to unlink, or with nothing.
 */
export default class DrchronoLinkModal extends LightningModal {
    @api isLinked = false;
    @api patientId;

    get heading() {
        return this.isLinked ? 'Unlink from DrChrono' : 'Link to a patient in DrChrono';
    }

    get word() {
        return this.isLinked ? 'Unlink' : 'Link';
    }

    get variant() {
        return this.isLinked ? 'destructive' : 'brand';
    }

    cancel() {
        this.close();
    }

    confirm() {
        if (this.isLinked) {
            this.close(true);
            return;
        }
        const input = this.template.querySelector('lightning-input');
        const chartId = (input.value ?? '').trim();
        input.setCustomValidity(/^[1-9]\d{0,17}$/.test(chartId) ? '' : 'Type the number of the patient in DrChrono.');
        if (input.reportValidity()) {
            this.close(chartId);
        } else {
            input.focus();
        }
    }
}
