import documents from '@salesforce/apex/DrChronoCardDocuments.documents';
import send from '@salesforce/apex/DrChronoCardDocuments.send';

/** The field by which a record is linked to a patient in DrChrono. It is the mapping's, and written with it. */
export const PATIENT_ID = 'DrChrono_Patient_Id__c';
/** What the card asks about the files of a record; null where the mapping has no documents. */
export const DOCUMENTS = { documents, send };
