import { createElement } from 'lwc';
import { getRecord } from 'lightning/uiRecordApi';
import DrchronoCard from 'c/drchronoCard';

jest.mock('@salesforce/customPermission/DrChrono_Staff', () => ({ default: undefined }), { virtual: true });

it('shows how the record stands, and no button, to whoever lacks the permission', async () => {
    const element = createElement('c-drchrono-card', { is: DrchronoCard });
    element.recordId = '003000000000001AAA';
    element.objectApiName = 'Contact';
    document.body.appendChild(element);
    getRecord.emit({
        apiName: 'Contact',
        fields: {
            DrChrono_Sync_Status__c: { value: 'In step', displayValue: 'In Sync' },
            DrChrono_Patient_Id__c: { value: '900001' },
            DrChrono_Chart_Url__c: { value: 'https://app.drchrono.com/patients/900001' }
        }
    });
    await Promise.resolve();

    expect(element.shadowRoot.textContent).toContain('In Sync');
    expect(element.shadowRoot.querySelector('[data-id="chart"]')).not.toBeNull();
    expect(element.shadowRoot.querySelector('lightning-button')).toBeNull();
});
