/* The page that is photographed: the card in each of its states, or one card with its modal open or with its files. */
import '@lwc/synthetic-shadow';
import { createElement } from 'lwc';
import DrchronoCard from 'c/drchronoCard';
import { RECORDS, WITH_FILES } from './platform.js';

const asked = new URLSearchParams(location.search).get('open');
const turn = () => new Promise((resolve) => setTimeout(resolve));

async function show() {
    for (const [id, fields] of Object.entries(RECORDS).filter(
        ([one]) => one === asked || (!asked && one !== WITH_FILES)
    )) {
        const element = createElement('c-drchrono-card', { is: DrchronoCard });
        element.recordId = id;
        element.objectApiName = fields.DrChrono_Patient_Id__c === undefined ? 'DrChrono_Appointment__c' : 'Contact';
        const cell = document.createElement('div');
        cell.append(element);
        document.querySelector('main').append(cell);
        if (asked && asked !== WITH_FILES) {
            await press(element, id === 'linked' ? 'Unlink…' : 'Link…');
        } else if (id === 'refused') {
            await press(element, 'Sync now');
        }
    }
}

async function press(element, label) {
    await turn();
    [...element.shadowRoot.querySelectorAll('lightning-button')].find((button) => button.label === label)?.click();
}

show();
